#include "proxy/health/health_owner.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/config/snapshot_builder.h"

namespace weir {
namespace {

// Of a probe in a pool without a timeout, and the least that a live shard gets for its answer: more
// than a slow command takes.
constexpr Duration kProbeTimeout = std::chrono::seconds(1);

bool HasTimeout(const PoolConfig& config) { return config.timeout != absl::InfiniteDuration(); }

// What a shard of the pool may take to answer a probe.
Duration ProbeTimeout(const PoolConfig& config, bool live) {
  if (!HasTimeout(config)) return kProbeTimeout;
  const Duration timeout = absl::ToChronoNanoseconds(config.timeout);
  return live ? std::max(timeout, kProbeTimeout) : timeout;
}

HealthPolicy PolicyOf(const PoolConfig& config) {
  return {.auto_eject_hosts = config.auto_eject_hosts,
          .server_failure_limit = config.server_failure_limit,
          .server_retry_timeout = config.server_retry_timeout,
          .max_ejected_percent = config.max_ejected_percent,
          .silence_time = absl::ToChronoNanoseconds(
              HasTimeout(config) ? config.timeout : config.shard_silence_limit)};
}

std::vector<std::string> ShardNamesOf(const PoolConfig& config) {
  std::vector<std::string> names;
  names.reserve(config.servers.size());
  for (const ShardConfig& shard : config.servers) names.push_back(shard.name);
  return names;
}

ProbeResult ResultOf(const absl::Status& status) {
  if (status.ok()) return ProbeResult::kServes;
  return absl::IsResourceExhausted(status) ? ProbeResult::kUnknown : ProbeResult::kFailed;
}

int64_t Milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

HealthOwner::HealthOwner(HealthPublisher& publisher)
    : publisher_(publisher),
      loop_(CreateEventLoop()),
      timer_(loop_->timers(), [this] { OnTimer(); }) {}

HealthOwner::~HealthOwner() {
  Stop();
  ended_ = true;
  pools_.clear();
  // What the probes gave to DeleteLater ends with a last turn.
  loop_->RunTurn(Duration::zero());
}

HealthOwner::ShardIndexes HealthOwner::IndexByName(const PoolConfig& config) {
  ShardIndexes indexes;
  indexes.reserve(config.servers.size());
  for (size_t i = 0; i < config.servers.size(); ++i) indexes.emplace(config.servers[i].name, i);
  return indexes;
}

std::vector<size_t> HealthOwner::MovedShards(const PoolSnapshot& old_pool,
                                             const ShardIndexes& old_shards,
                                             const PoolSnapshot& now) {
  const PoolConfig& before = old_pool.config;
  const PoolConfig& config = now.config;
  const bool all = old_pool.login() != now.login();
  std::vector<size_t> moved;
  for (size_t i = 0; i < config.servers.size(); ++i) {
    const auto old = old_shards.find(config.servers[i].name);
    if (old == old_shards.end()) continue;
    if (all || !before.servers[old->second].SamePlaceAs(config.servers[i])) moved.push_back(i);
  }
  return moved;
}

void HealthOwner::Post(EventLoop::Message message) {
  loop_->Post([this, message = std::move(message)]() mutable {
    if (!ended_) message();
  });
}

void HealthOwner::Start() {
  thread_ = std::thread([this] { loop_->Run(); });
}

void HealthOwner::Stop() {
  loop_->Stop();
  if (thread_.joinable()) thread_.join();
}

void HealthOwner::Apply(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats) {
  Post([this, snapshot = std::move(snapshot), stats = std::move(stats)]() mutable {
    ApplyNow(*snapshot, std::move(stats));
  });
}

void HealthOwner::SetAddresses(Endpoint endpoint, std::vector<ResolvedAddress> addresses) {
  Post([this, endpoint = std::move(endpoint), addresses = std::move(addresses)]() mutable {
    std::vector<ResolvedAddress>& known = resolved_[FormatEndpoint(endpoint)];
    if (known == addresses) return;
    known = std::move(addresses);
    OnAddressesChanged(endpoint);
    ArmTimer();
  });
}

void HealthOwner::OnAddressesChanged(const Endpoint& endpoint) {
  for (auto& [name, pool] : pools_) {
    if (pool->tracker.ejected() == 0) continue;
    const std::vector<ShardConfig>& servers = pool->snapshot->config.servers;
    for (size_t i = 0; i < servers.size(); ++i) {
      const bool ejected = !pool->tracker.live()[i];
      if (ejected && servers[i].endpoint == endpoint) pool->tracker.OnMoved(i, loop_->now());
    }
  }
}

void HealthOwner::ReportFailure(std::string pool, std::string shard, ShardFailure kind) {
  Post([this, pool_name = std::move(pool), shard = std::move(shard), kind] {
    Pool* pool = FindPool(pool_name);
    if (pool == nullptr) return;
    const auto found = pool->shards.find(shard);
    if (found == pool->shards.end()) return;
    Perform(*pool, pool->tracker.OnFailure(found->second, kind, loop_->now()));
    ArmTimer();
  });
}

void HealthOwner::ReportSuccess(std::string pool, std::string shard) {
  Post([this, pool_name = std::move(pool), shard = std::move(shard)] {
    Pool* pool = FindPool(pool_name);
    if (pool == nullptr) return;
    const auto found = pool->shards.find(shard);
    if (found != pool->shards.end()) Perform(*pool, pool->tracker.OnSuccess(found->second));
  });
}

void HealthOwner::ApplyNow(const Snapshot& snapshot, std::shared_ptr<StatsTable> stats) {
  stats_ = std::move(stats);
  Pools next;
  for (size_t i = 0; i < snapshot.pools.size(); ++i) {
    const PoolSnapshotPtr& pool = snapshot.pools[i];
    const PoolConfig& config = pool->config;
    auto old = pools_.find(config.name);
    if (old == pools_.end()) {
      next[config.name] = std::make_unique<Pool>(Pool{
          pool, IndexByName(config), i, HealthTracker(PolicyOf(config), ShardNamesOf(config)), {}});
    } else {
      next[config.name] = std::move(old->second);
      pools_.erase(old);
    }
  }
  for (auto& [name, removed] : pools_) CancelProbes(*removed);
  pools_ = std::move(next);
  for (size_t i = 0; i < snapshot.pools.size(); ++i) {
    Pool& pool = *pools_.at(snapshot.pools[i]->config.name);
    pool.stats_index = i;
    HealthTracker::Actions actions;
    if (pool.snapshot != snapshot.pools[i]) {
      const PoolSnapshotPtr before = std::exchange(pool.snapshot, snapshot.pools[i]);
      const PoolConfig& config = pool.snapshot->config;
      const ShardIndexes shards_before = std::exchange(pool.shards, IndexByName(config));
      CancelProbes(pool);
      actions = pool.tracker.Update(PolicyOf(config), ShardNamesOf(config), loop_->now());
      for (size_t shard : MovedShards(*before, shards_before, *pool.snapshot)) {
        pool.tracker.OnMoved(shard, loop_->now());
      }
    }
    Perform(pool, actions);
    // Workers that made the pool anew take all its shards for live.
    if (actions.empty()) Publish(pool);
  }
  ArmTimer();
}

void HealthOwner::CancelProbes(Pool& pool) {
  for (auto& [id, probe] : pool.probes) loop_->DeleteLater(std::move(probe));
  pool.probes.clear();
}

void HealthOwner::Perform(Pool& pool, const HealthTracker::Actions& actions) {
  bool changed = false;
  for (const HealthAction& action : actions) {
    switch (action.kind) {
      case HealthAction::Kind::kEject:
        OnEject(pool, action);
        changed = true;
        break;
      case HealthAction::Kind::kRestore:
        OnRestore(pool, action);
        changed = true;
        break;
      case HealthAction::Kind::kStartProbe:
        StartProbe(pool, action);
        break;
      case HealthAction::Kind::kNoteFailing:
      case HealthAction::Kind::kNoteServing:
        Note(pool, action);
        break;
    }
  }
  if (changed) Publish(pool);
}

void HealthOwner::OnEject(Pool& pool, const HealthAction& action) {
  stats_->pool(pool.stats_index).server_ejects.Add();
  stats_->shard(pool.stats_index, action.shard)
      .server_ejected_at.Set(static_cast<uint64_t>(absl::ToUnixMicros(absl::Now())));
  const PoolConfig& config = pool.snapshot->config;
  LOG_EVENT(
      LogLevel::kWarn, "shard_ejected", {"pool", config.name},
      {"shard", config.servers[action.shard].name}, {"failure", ShardFailureName(action.failure)},
      {"failures", action.failures}, {"probe_in_ms", Milliseconds(action.ejection_time)},
      {"live", config.servers.size() - pool.tracker.ejected()}, {"shards", config.servers.size()});
}

void HealthOwner::OnRestore(Pool& pool, const HealthAction& action) {
  stats_->pool(pool.stats_index).server_restores.Add();
  const PoolConfig& config = pool.snapshot->config;
  LOG_EVENT(LogLevel::kWarn, "shard_restored", {"pool", config.name},
            {"shard", config.servers[action.shard].name},
            {"live", config.servers.size() - pool.tracker.ejected()},
            {"shards", config.servers.size()});
}

void HealthOwner::Note(const Pool& pool, const HealthAction& action) {
  const PoolConfig& config = pool.snapshot->config;
  const std::string& shard = config.servers[action.shard].name;
  if (action.kind == HealthAction::Kind::kNoteServing) {
    LOG_EVENT(LogLevel::kWarn, "shard_serves_again", {"pool", config.name}, {"shard", shard});
    return;
  }
  const std::string_view stays_because =
      config.auto_eject_hosts ? "no more may be ejected" : "auto_eject_hosts is false";
  LOG_EVENT(LogLevel::kWarn, "shard_failing", {"pool", config.name}, {"shard", shard},
            {"failure", ShardFailureName(action.failure)}, {"failures", action.failures},
            {"not_ejected", stays_because});
}

void HealthOwner::StartProbe(Pool& pool, const HealthAction& action) {
  stats_->pool(pool.stats_index).probes.Add();
  const PoolConfig& config = pool.snapshot->config;
  ProbeTarget target = {.addresses = AddressesOf(config.servers[action.shard]),
                        .login = pool.snapshot->login(),
                        .timeout = ProbeTimeout(config, pool.tracker.live()[action.shard])};
  pool.probes[action.probe_id] = std::make_unique<Probe>(
      *loop_, chunks_, std::move(target),
      [this, name = config.name, shard = action.shard,
       id = action.probe_id](const absl::Status& result) { OnProbeDone(name, shard, id, result); });
}

void HealthOwner::OnProbeDone(const std::string& pool_name, size_t shard, uint64_t probe_id,
                              const absl::Status& result) {
  Pool* pool = FindPool(pool_name);
  if (pool == nullptr) return;
  auto probe = pool->probes.find(probe_id);
  if (probe == pool->probes.end()) return;
  loop_->DeleteLater(std::move(probe->second));
  pool->probes.erase(probe);
  if (!result.ok()) {
    stats_->pool(pool->stats_index).probes_failed.Add();
    const PoolConfig& config = pool->snapshot->config;
    LOG_EVENT_LIMITED(LogLevel::kNotice, "probe_failed", {"pool", config.name},
                      {"shard", config.servers[shard].name}, {"error", FromAbsl(result.message())});
  }
  Perform(*pool, pool->tracker.OnProbeResult(probe_id, ResultOf(result), loop_->now()));
  ArmTimer();
}

void HealthOwner::Publish(const Pool& pool) {
  const PoolSnapshot& snapshot = *pool.snapshot;
  const bool rehash = snapshot.config.missing_shard == MissingShard::kRehash;
  const bool full = pool.tracker.ejected() == 0 || !rehash;
  publisher_.PublishHealth(
      pool.snapshot, full ? snapshot.ring : BuildPoolRing(snapshot.config, pool.tracker.live()),
      pool.tracker.live());
}

std::vector<ResolvedAddress> HealthOwner::AddressesOf(const ShardConfig& shard) const {
  if (std::optional<ResolvedAddress> literal = LiteralAddress(shard.endpoint)) {
    std::vector<ResolvedAddress> addresses = {*literal};
    for (const Endpoint& endpoint : shard.more_endpoints) {
      if ((literal = LiteralAddress(endpoint))) addresses.push_back(*literal);
    }
    return addresses;
  }
  auto found = resolved_.find(FormatEndpoint(shard.endpoint));
  return found == resolved_.end() ? std::vector<ResolvedAddress>() : found->second;
}

HealthOwner::Pool* HealthOwner::FindPool(const std::string& name) {
  auto found = pools_.find(name);
  return found == pools_.end() ? nullptr : found->second.get();
}

void HealthOwner::OnTimer() {
  for (auto& [name, pool] : pools_) Perform(*pool, pool->tracker.Tick(loop_->now()));
  ArmTimer();
}

void HealthOwner::ArmTimer() {
  Moment next = kNever;
  for (const auto& [name, pool] : pools_) next = std::min(next, pool->tracker.next_deadline());
  if (next == kNever) return timer_.Disarm();
  timer_.ArmAt(next);
}

}  // namespace weir
