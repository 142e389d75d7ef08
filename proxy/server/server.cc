#include "proxy/server/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/event/resolver.h"
#include "proxy/event/socket.h"
#include "proxy/stats/stats_json.h"

namespace weir {
namespace {

absl::StatusOr<ResolvedAddress> ResolveNow(const Endpoint& endpoint) {
  if (std::optional<ResolvedAddress> literal = LiteralAddress(endpoint)) return *literal;
  absl::StatusOr<Addresses> found = SystemLookup(endpoint.host, endpoint.port);
  if (!found.ok()) return found.status();
  return found->front();
}

std::shared_ptr<const StatsLayout> LayoutOf(const Snapshot& snapshot) {
  auto layout = std::make_shared<StatsLayout>();
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    StatsLayout::Pool& entry = layout->pools.emplace_back();
    entry.name = pool->config.name;
    for (const ShardConfig& shard : pool->config.servers) entry.shards.push_back(shard.ring_name);
  }
  return layout;
}

std::string HostName() {
  char name[256] = "unknown";
  gethostname(name, sizeof(name) - 1);
  return name;
}

// The worker with the fewest sessions of the pool.
uint32_t LeastLoaded(const SessionCounts& counts) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < counts.size(); ++i) {
    if (counts[i].load(std::memory_order_relaxed) < counts[best].load(std::memory_order_relaxed)) {
      best = i;
    }
  }
  return best;
}

uint64_t TotalSessions(const SessionCounts& counts) {
  uint64_t total = 0;
  for (const auto& count : counts) total += count.load(std::memory_order_relaxed);
  return total;
}

}  // namespace

Server::Server(const Options& options) : options_(options), started_at_(absl::Now()) {
  HealthReporter& health = *this;
  for (uint32_t i = 0; i < options.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, options.threads, health, started_at_));
  }
}

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const Options& options) {
  std::unique_ptr<Server> server(new Server(options));
  absl::StatusOr<ResolvedAddress> address =
      ResolveNow(TcpEndpoint(options.stats_addr, options.stats_port));
  if (!address.ok()) return address.status();
  absl::StatusOr<std::unique_ptr<StatsServer>> stats =
      StatsServer::Start(*address, [s = server.get()] { return s->StatsText(); });
  if (!stats.ok()) return stats.status();
  server->stats_server_ = *std::move(stats);
  for (auto& worker : server->workers_) worker->Start();
  return server;
}

Server::~Server() {
  stats_server_.reset();
  for (auto& worker : workers_) worker->Stop();
}

absl::Status Server::Apply(SnapshotPtr snapshot) {
  Listeners next;
  absl::StatusOr<std::vector<OpenedListener>> opened = OpenListeners(*snapshot, &next);
  if (!opened.ok()) return opened.status();
  for (const auto& [pool, listener] : listeners_) {
    auto kept = next.find(pool);
    if (kept == next.end() || kept->second.counts != listener.counts) {
      workers_[listener.worker]->RemoveListener(pool);
    }
  }
  Publish(snapshot, next);
  for (OpenedListener& listener : *opened) {
    StartListening(*snapshot->FindPool(listener.pool), next.at(listener.pool),
                   std::move(listener.fd));
  }
  listeners_ = std::move(next);
  snapshot_ = std::move(snapshot);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Server::OpenedListener>> Server::OpenListeners(const Snapshot& snapshot,
                                                                          Listeners* next) {
  std::vector<OpenedListener> opened;
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    const PoolConfig& config = pool->config;
    auto old = listeners_.find(config.name);
    if (old != listeners_.end() && old->second.listen == config.listen &&
        old->second.backlog == config.backlog && old->second.reuseport == config.reuseport) {
      (*next)[config.name] = old->second;
      continue;
    }
    absl::StatusOr<ResolvedAddress> address = ResolveNow(config.listen.endpoint);
    if (!address.ok()) {
      return InvalidArgument("pool '", config.name,
                             "', key 'listen': ", FromAbsl(address.status().message()));
    }
    const ListenOptions listen_options = {.backlog = static_cast<int>(config.backlog),
                                          .reuse_port = config.reuseport,
                                          .unix_mode = config.listen.unix_mode};
    absl::StatusOr<UniqueFd> fd = ListenOn(*address, listen_options);
    if (!fd.ok()) {
      return Unavailable("pool '", config.name,
                         "', key 'listen': ", FromAbsl(fd.status().message()));
    }
    (*next)[config.name] = {.worker = next_listener_worker_++ % options_.threads,
                            .listen = config.listen,
                            .backlog = config.backlog,
                            .reuseport = config.reuseport,
                            .counts = std::make_shared<SessionCounts>(options_.threads)};
    opened.push_back({config.name, *std::move(fd)});
  }
  return opened;
}

void Server::Publish(const SnapshotPtr& snapshot, const Listeners& listeners) {
  Worker::CountsByPool counts;
  for (const auto& [pool, listener] : listeners) counts[pool] = listener.counts;
  std::shared_ptr<const StatsLayout> layout = LayoutOf(*snapshot);
  std::vector<std::shared_ptr<StatsTable>> tables;
  {
    absl::MutexLock lock(&stats_mutex_);
    for (size_t i = 0; i < workers_.size(); ++i) {
      tables.push_back(
          std::make_shared<StatsTable>(layout, i < stats_.size() ? stats_[i].get() : nullptr));
    }
    stats_ = tables;
  }
  for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->Adopt(snapshot, tables[i], counts);
}

void Server::StartListening(const PoolSnapshot& pool, const PoolListener& listener, UniqueFd fd) {
  const uint32_t limit = pool.config.client_connections;
  workers_[listener.worker]->AddListener(
      pool.config.name, std::move(fd),
      [this, name = pool.config.name, limit, counts = listener.counts](UniqueFd accepted) {
        if (limit != 0 && TotalSessions(*counts) >= limit) {
          static constexpr std::string_view kRefusal = "-ERR max number of clients reached\r\n";
          send(accepted.get(), kRefusal.data(), kRefusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
          return;
        }
        const uint32_t worker = LeastLoaded(*counts);
        (*counts)[worker].fetch_add(1, std::memory_order_relaxed);
        workers_[worker]->AddSession(name, std::move(accepted));
      });
  LOG_EVENT(LogLevel::kNotice, "listening", {"pool", pool.config.name},
            {"address", FormatEndpoint(pool.config.listen.endpoint)},
            {"shards", pool.shard_count()});
}

void Server::Drain(std::function<void()> on_done) {
  for (const auto& [pool, listener] : listeners_) workers_[listener.worker]->RemoveListener(pool);
  listeners_.clear();
  auto left = std::make_shared<std::atomic<size_t>>(workers_.size());
  for (auto& worker : workers_) {
    worker->Drain([left, on_done] {
      if (left->fetch_sub(1) == 1) on_done();
    });
  }
}

void Server::ReportFailure(const std::string& pool, const std::string& shard,
                           ShardFailure failure) {}

void Server::ReportSuccess(const std::string& pool, const std::string& shard) {}

std::string Server::StatsText() {
  std::vector<std::shared_ptr<const StatsTable>> tables;
  {
    absl::MutexLock lock(&stats_mutex_);
    tables.assign(stats_.begin(), stats_.end());
  }
  if (tables.empty()) return "{}\n";
  const absl::Time now = absl::Now();
  return StatsJson({.source = HostName(),
                    .version = "0.5.0",
                    .uptime = absl::ToInt64Seconds(now - started_at_),
                    .timestamp = absl::ToUnixSeconds(now)},
                   tables);
}

}  // namespace weir
