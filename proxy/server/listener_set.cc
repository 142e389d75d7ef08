#include "proxy/server/listener_set.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <latch>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/event/resolver.h"
#include "proxy/event/socket.h"

namespace weir {
namespace {

// The worker with the fewest sessions of the pool; of equal ones the next behind `first`, so that
// pools with few sessions do not all burden one worker.
uint32_t LeastLoaded(const SessionCounts& counts, uint32_t first) {
  uint32_t best = first;
  for (uint32_t i = 1; i < counts.size(); ++i) {
    const uint32_t worker = (first + i) % static_cast<uint32_t>(counts.size());
    if (counts[worker].load(std::memory_order_relaxed) <
        counts[best].load(std::memory_order_relaxed)) {
      best = worker;
    }
  }
  return best;
}

uint64_t TotalSessions(const SessionCounts& counts) {
  uint64_t total = 0;
  for (const auto& count : counts) total += count.load(std::memory_order_relaxed);
  return total;
}

std::set<std::string> AddressesOf(const Snapshot& snapshot) {
  std::set<std::string> addresses;
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    addresses.insert(FormatEndpoint(pool->config.listen.endpoint));
  }
  return addresses;
}

void RemoveUnixFile(const ListenConfig& listen) {
  if (!listen.endpoint.path.empty()) unlink(listen.endpoint.path.c_str());
}

}  // namespace

absl::Status ListenerSet::Open(const Snapshot& snapshot) {
  Sockets opened;
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    const std::string address = FormatEndpoint(pool->config.listen.endpoint);
    if (sockets_.contains(address)) continue;
    absl::Status status = OpenOne(pool->config, &opened[address]);
    if (status.ok()) continue;
    opened.erase(address);
    for (const auto& [other, socket] : opened) RemoveUnixFile(socket.listen);
    return status;
  }
  sockets_.merge(opened);
  return absl::OkStatus();
}

absl::Status ListenerSet::OpenOne(const PoolConfig& pool, Socket* socket) {
  absl::StatusOr<ResolvedAddress> address = ResolveNow(pool.listen.endpoint);
  if (!address.ok()) {
    return InvalidArgument("pool '", pool.name,
                           "', key 'listen': ", FromAbsl(address.status().message()));
  }
  absl::StatusOr<UniqueFd> fd = ListenOn(*address, {.backlog = static_cast<int>(pool.backlog),
                                                    .reuse_port = pool.reuseport,
                                                    .unix_mode = pool.listen.unix_mode});
  if (!fd.ok()) {
    return Unavailable("pool '", pool.name, "', key 'listen': ", FromAbsl(fd.status().message()));
  }
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
  const std::set<std::string> needed = AddressesOf(snapshot);
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
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    const PoolConfig& config = pool->config;
    Socket& socket = sockets_.at(FormatEndpoint(config.listen.endpoint));
    {
      std::lock_guard lock(socket.target->mutex);
      socket.target->pool = config.name;
      socket.target->limit = config.client_connections;
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
  if (pool.reuseport != socket->reuseport) {
    LOG_EVENT(LogLevel::kWarn, "needs_restart", {"pool", pool.name}, {"key", "reuseport"});
  }
}

void ListenerSet::StartAccepting(Socket* socket) {
  const auto on_accept = [this, target = socket->target, own = socket->worker](UniqueFd accepted) {
    std::string pool;
    uint32_t limit;
    std::shared_ptr<SessionCounts> counts;
    {
      std::lock_guard lock(target->mutex);
      pool = target->pool;
      limit = target->limit;
      counts = target->counts;
    }
    if (limit != 0 && TotalSessions(*counts) >= limit) {
      static constexpr std::string_view kRefusal = "-ERR max number of clients reached\r\n";
      send(accepted.get(), kRefusal.data(), kRefusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return workers_[own]->CountRefused(pool);
    }
    const uint32_t worker = LeastLoaded(*counts, own);
    (*counts)[worker].fetch_add(1, std::memory_order_relaxed);
    workers_[worker]->AddSession(std::move(pool), std::move(accepted));
  };
  workers_[socket->worker]->AddListener(socket->id, std::move(socket->pending), on_accept);
}

}  // namespace weir
