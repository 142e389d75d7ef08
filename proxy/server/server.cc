#include "proxy/server/server.h"

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <latch>
#include <mutex>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/resolver.h"
#include "proxy/base/strings.h"
#include "proxy/stats/stats_json.h"

namespace weir {
namespace {

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

}  // namespace

Server::Server(const Options& options, EventLoop& main_loop, std::function<void()> on_health)
    : options_(options),
      started_at_(absl::Now()),
      main_loop_(main_loop),
      on_health_(std::move(on_health)),
      health_(*this),
      names_({}, [this](const Endpoint& endpoint,
                        const Addresses& addresses) { PublishAddresses(endpoint, addresses); }),
      listeners_(workers_),
      sessions_(std::make_shared<SessionCounts::Counts>(options.threads)) {
  memory_ = std::make_shared<ProcessMemory>(options.memory_limit, [this, &main_loop] {
    main_loop.Post([memory = memory_] { memory->TrimNow(); });
  });
  HealthReporter& health = *this;
  for (uint32_t i = 0; i < options.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, options.threads, health, started_at_,
                                                absl::ToChronoNanoseconds(options.drain_timeout),
                                                *memory_));
  }
}

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const Options& options, EventLoop& main_loop,
                                                       std::function<void()> on_health) {
  std::unique_ptr<Server> server(new Server(options, main_loop, std::move(on_health)));
  absl::StatusOr<ResolvedAddress> address =
      ResolveNow(TcpEndpoint(options.stats_addr, options.stats_port));
  if (!address.ok()) return address.status();
  absl::StatusOr<std::unique_ptr<StatsServer>> stats =
      StatsServer::Start(*address, [s = server.get()] { return s->StatsText(); });
  if (!stats.ok()) return stats.status();
  server->stats_server_ = *std::move(stats);
  for (auto& worker : server->workers_) worker->Start();
  server->health_.Start();
  return server;
}

Server::~Server() {
  stats_server_.reset();
  names_.Stop();
  health_.Stop();
  for (auto& worker : workers_) worker->Stop();
  for (auto& worker : workers_) worker->Join();
}

std::vector<ListenError> Server::Apply(const SnapshotPtr& snapshot) {
  if (std::vector<ListenError> errors = listeners_.Open(*snapshot); !errors.empty()) return errors;
  listeners_.CloseUnused(*snapshot);
  Worker::CountsByPool counts;
  for (const PoolSnapshotPtr& pool : snapshot->pools) {
    std::shared_ptr<SessionCounts>& count = counts[pool->config.name];
    auto old = counts_.find(pool->config.name);
    count = old != counts_.end() ? old->second : std::make_shared<SessionCounts>(sessions_);
  }
  counts_ = std::move(counts);
  // Posted to the workers before the sockets belong to the new pools, so that a session never comes
  // to a worker ahead of its pool.
  auto adopted = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(workers_.size()));
  Publish(snapshot, [adopted] { adopted->count_down(); });
  listeners_.Assign(*snapshot, counts_);
  adopted->wait();
  snapshot_ = snapshot;
  return {};
}

void Server::Publish(const SnapshotPtr& snapshot, const std::function<void()>& on_adopted) {
  std::shared_ptr<const StatsLayout> layout = LayoutOf(*snapshot);
  std::vector<std::shared_ptr<StatsTable>> tables;
  {
    std::lock_guard lock(stats_mutex_);
    for (size_t i = 0; i <= workers_.size(); ++i) {
      tables.push_back(
          std::make_shared<StatsTable>(layout, i < stats_.size() ? stats_[i].get() : nullptr));
    }
    stats_ = tables;
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Adopt(snapshot, tables[i], counts_, on_adopted);
  }
  health_.Apply(snapshot, tables.back());
  names_.Apply(*snapshot);
}

void Server::StopAccepting() { listeners_.CloseAll(); }

void Server::Drain(const std::function<void()>& on_done) {
  auto left = std::make_shared<std::atomic<size_t>>(workers_.size());
  for (auto& worker : workers_) {
    worker->Drain([left, on_done] {
      if (left->fetch_sub(1) == 1) on_done();
    });
  }
}

void Server::EndSessions() {
  for (auto& worker : workers_) worker->EndSessions();
}

void Server::ReportFailure(const std::string& pool, const ShardConfig& shard,
                           ShardFailure failure) {
  health_.ReportFailure(pool, shard.name, failure);
  names_.Refresh(shard.endpoint);
}

void Server::ReportSuccess(const std::string& pool, const ShardConfig& shard) {
  health_.ReportSuccess(pool, shard.name);
}

void Server::ReportIdleClose(const ShardConfig& shard) { names_.Refresh(shard.endpoint); }

void Server::ReportVariantRefused(const PoolSnapshotPtr& pool) {
  for (auto& worker : workers_) worker->SpeakBaseVariant(pool);
}

void Server::PublishHealth(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring,
                           std::vector<bool> live) {
  bool is_news;
  {
    std::lock_guard lock(stats_mutex_);
    is_news = SetEjected(pool->config, live, ejected_);
  }
  if (is_news) main_loop_.Post(on_health_);
  for (auto& worker : workers_) worker->SetHealth(pool, ring, live);
}

void Server::PublishAddresses(const Endpoint& endpoint, const Addresses& addresses) {
  health_.SetAddresses(endpoint, addresses);
  for (auto& worker : workers_) worker->SetAddresses(endpoint, addresses);
}

v1::Report Server::MakeReport() {
  std::vector<std::shared_ptr<const StatsTable>> tables;
  EjectedShards ejected;
  {
    std::lock_guard lock(stats_mutex_);
    tables.assign(stats_.begin(), stats_.end());
    ejected = ejected_;
  }
  v1::Report report = weir::MakeReport(tables, ejected);
  if (snapshot_ != nullptr) report.set_snapshot_generation(snapshot_->generation);
  return report;
}

std::string Server::StatsText() {
  std::vector<std::shared_ptr<const StatsTable>> tables;
  {
    std::lock_guard lock(stats_mutex_);
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
