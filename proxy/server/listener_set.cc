#include "proxy/server/listener_set.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <latch>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "proxy/base/listen_check.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/codec/client_refusal.h"
#include "proxy/event/socket.h"
#include "proxy/server/session_limit.h"

namespace weir {
namespace {

std::string AddressOf(const PoolConfig& pool) { return FormatEndpoint(pool.listen.endpoint); }

std::vector<const PoolConfig*> ConfigsOf(const Snapshot& snapshot) {
  std::vector<const PoolConfig*> configs;
  for (const PoolSnapshotPtr& pool : snapshot.pools) configs.push_back(&pool->config);
  return configs;
}

std::set<std::string> AddressesOf(ListenerSet::Pools pools) {
  std::set<std::string> addresses;
  for (const PoolConfig* pool : pools) addresses.insert(AddressOf(*pool));
  return addresses;
}

void RemoveUnixFile(const ListenConfig& listen) {
  const std::string& path = listen.endpoint.path;
  if (!path.empty() && IsUnixSocket(path.c_str())) unlink(path.c_str());
}

}  // namespace

std::vector<ListenError> ListenerSet::Open(const Snapshot& snapshot) {
  Sockets opened;
  const auto open = [this, &opened](const PoolConfig& pool, bool reuse_port) {
    Socket socket;
    absl::Status status = OpenOne(pool, reuse_port, &socket);
    if (status.ok()) opened.emplace(AddressOf(pool), std::move(socket));
    return status;
  };
  std::vector<ListenError> errors = TryUnopened(ConfigsOf(snapshot), open);
  if (errors.empty()) {
    sockets_.merge(opened);
    return errors;
  }
  for (const auto& [address, socket] : opened) RemoveUnixFile(socket.listen);
  return errors;
}

std::vector<ListenError> ListenerSet::Check(Pools pools) {
  return TryUnopened(pools, [this](const PoolConfig& pool, bool reuse_port) {
    const absl::StatusOr<ResolvedAddress> address = names_.Peek(pool.listen.endpoint);
    if (!address.ok()) return address.status();
    const int error = ErrorOfListening(*address, {.reuse_port = reuse_port, .v6_only = true});
    if (error == 0) return absl::OkStatus();
    return Unavailable("cannot listen on ", address->ToString(), ": ", std::strerror(error));
  });
}

std::vector<ListenError> ListenerSet::TryUnopened(Pools pools, const Attempt& attempt) const {
  const std::set<std::string> needed = AddressesOf(pools);
  std::vector<ListenError> errors;
  for (const PoolConfig* pool : pools) {
    if (sockets_.contains(AddressOf(*pool))) continue;
    const std::vector<const Socket*> in_the_way = UnusedOnPort(needed, pool->listen.endpoint);
    for (const Socket* socket : in_the_way) SetReusePort(socket->fd, true);
    const absl::Status status = attempt(*pool, pool->reuseport || !in_the_way.empty());
    for (const Socket* socket : in_the_way) SetReusePort(socket->fd, socket->reuseport);
    if (status.ok()) continue;
    errors.push_back(
        {pool->name, pool->listen_place.text, std::string(FromAbsl(status.message()))});
  }
  return errors;
}

std::vector<const ListenerSet::Socket*> ListenerSet::UnusedOnPort(
    const std::set<std::string>& needed, const Endpoint& endpoint) const {
  std::vector<const Socket*> unused;
  if (!endpoint.path.empty()) return unused;
  for (const auto& [address, socket] : sockets_) {
    const Endpoint& other = socket.listen.endpoint;
    const bool same_port = other.path.empty() && other.port == endpoint.port;
    if (same_port && !needed.contains(address)) unused.push_back(&socket);
  }
  return unused;
}

absl::Status ListenerSet::OpenOne(const PoolConfig& pool, bool reuse_port, Socket* socket) {
  absl::StatusOr<ResolvedAddress> address = names_.Find(pool.listen.endpoint);
  if (!address.ok()) return address.status();
  absl::StatusOr<UniqueFd> fd = ListenOn(*address, {.backlog = static_cast<int>(pool.backlog),
                                                    .reuse_port = reuse_port,
                                                    .unix_mode = pool.listen.unix_mode});
  if (!fd.ok()) return fd.status();
  if (!pool.reuseport) SetReusePort(fd->get(), false);
  socket->id = ++next_id_;
  socket->worker = static_cast<uint32_t>(socket->id % workers_.size());
  socket->listen = pool.listen;
  socket->backlog = pool.backlog;
  socket->reuseport = pool.reuseport;
  socket->fd = fd->get();
  socket->pending = *std::move(fd);
  socket->target = std::make_shared<Target>();
  return absl::OkStatus();
}

void ListenerSet::CloseUnused(const Snapshot& snapshot) {
  const std::set<std::string> needed = AddressesOf(ConfigsOf(snapshot));
  std::vector<Socket> unused;
  for (auto it = sockets_.begin(); it != sockets_.end();) {
    if (needed.contains(it->first)) {
      ++it;
    } else {
      unused.push_back(std::move(it->second));
      it = sockets_.erase(it);
    }
  }
  Close(unused);
}

void ListenerSet::CloseAll() {
  std::vector<Socket> all;
  for (auto& [address, socket] : sockets_) all.push_back(std::move(socket));
  sockets_.clear();
  Close(all);
}

void ListenerSet::Close(const std::vector<Socket>& sockets) {
  auto left = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(sockets.size()));
  for (const Socket& socket : sockets) {
    // Nobody can find it any more; who has is accepted.
    RemoveUnixFile(socket.listen);
    workers_[socket.worker]->RemoveListener(socket.id, [left] { left->count_down(); });
  }
  if (!sockets.empty()) left->wait();
}

void ListenerSet::Assign(const Snapshot& snapshot, const Worker::CountsByPool& counts) {
  const uint64_t limit_of_all_pools = SessionLimit(DescriptorLimit(), workers_.size(), snapshot);
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    const PoolConfig& config = pool->config;
    Socket& socket = sockets_.at(FormatEndpoint(config.listen.endpoint));
    {
      std::lock_guard lock(socket.target->mutex);
      socket.target->pool = config.name;
      socket.target->protocol = pool->login().protocol;
      socket.target->limit = config.client_connections;
      socket.target->limit_of_all_pools = limit_of_all_pools;
      socket.target->counts = counts.at(config.name);
    }
    if (!socket.pending.valid()) {
      Adjust(config, &socket);
      continue;
    }
    StartAccepting(&socket);
    LOG_EVENT(LogLevel::kNotice, "listening", {"pool", config.name},
              {"address", FormatEndpoint(config.listen.endpoint)}, {"shards", pool->shard_count()});
  }
}

void ListenerSet::Adjust(const PoolConfig& pool, Socket* socket) {
  if (pool.backlog != socket->backlog) listen(socket->fd, static_cast<int>(pool.backlog));
  socket->backlog = pool.backlog;
  const std::optional<uint32_t> mode = pool.listen.unix_mode;
  if (mode.has_value() && mode != socket->listen.unix_mode &&
      chmod(pool.listen.endpoint.path.c_str(), *mode) != 0) {
    LOG_EVENT(LogLevel::kError, "chmod_failed", {"pool", pool.name},
              {"path", pool.listen.endpoint.path}, {"error", std::strerror(errno)});
  }
  socket->listen = pool.listen;
  if (pool.reuseport != socket->reuseport) SetReusePort(socket->fd, pool.reuseport);
  socket->reuseport = pool.reuseport;
}

void ListenerSet::StartAccepting(Socket* socket) {
  const auto on_accept = [this, target = socket->target, own = socket->worker](UniqueFd accepted) {
    std::string pool;
    Protocol protocol;
    uint64_t limit;
    uint64_t limit_of_all_pools;
    std::shared_ptr<SessionCounts> counts;
    {
      std::lock_guard lock(target->mutex);
      pool = target->pool;
      protocol = target->protocol;
      limit = target->limit;
      limit_of_all_pools = target->limit_of_all_pools;
      counts = target->counts;
    }
    const bool too_many = limit != 0 && counts->total() >= limit;
    const bool too_many_files = counts->total_of_all_pools() >= limit_of_all_pools;
    if (too_many) {
      LOG_EVENT_LIMITED(LogLevel::kWarn, "client_refused_for_client_connections", {"pool", pool},
                        {"limit", limit});
    } else if (too_many_files) {
      LOG_EVENT_LIMITED(LogLevel::kWarn, "client_refused_for_open_files", {"pool", pool},
                        {"clients", limit_of_all_pools});
    }
    if (too_many || too_many_files) {
      const std::string_view refusal = TooManyClients(protocol);
      send(accepted.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return workers_[own]->CountRefused(pool);
    }
    const uint32_t worker = counts->LeastLoaded(own);
    counts->Add(worker);
    workers_[worker]->AddSession(std::move(pool), std::move(counts), std::move(accepted));
  };
  workers_[socket->worker]->AddListener(socket->id, std::move(socket->pending), on_accept);
}

}  // namespace weir
