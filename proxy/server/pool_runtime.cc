#include "proxy/server/pool_runtime.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/socket_ends.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/downstream/redis_handler.h"
#include "proxy/event/socket.h"
#include "proxy/event/transport.h"

namespace weir {
namespace {

constexpr Duration kProgressCheck = std::chrono::seconds(1);

PoolConnections::ShardCells ShardCellsOf(StatsTable& stats, size_t pool_index, size_t shards) {
  PoolConnections::ShardCells cells;
  for (size_t i = 0; i < shards; ++i) cells.push_back(stats.ShareShard(pool_index, i));
  return cells;
}

// Which shards of `pool` are live, knowing which of the shards before are: one that is ejected
// stays so until the health owner has found it well, also at another place.
std::vector<bool> LiveShards(const PoolConfig& pool, const PoolConfig& before,
                             const ShardSelector& selector) {
  absl::flat_hash_set<std::string_view> ejected;
  for (uint32_t old = 0; old < before.servers.size(); ++old) {
    if (selector.ejected(old)) ejected.insert(before.servers[old].name);
  }
  std::vector<bool> live(pool.servers.size(), true);
  for (size_t i = 0; i < live.size(); ++i) live[i] = !ejected.contains(pool.servers[i].name);
  const bool all_ejected = std::ranges::none_of(live, std::identity());
  if (all_ejected) live.assign(live.size(), true);
  return live;
}

}  // namespace

PoolRuntime::PoolRuntime(const WorkerParts& worker, const PoolSnapshotPtr& pool,
                         std::shared_ptr<StatsTable> stats, size_t pool_index,
                         std::shared_ptr<SessionCounts> counts)
    : worker_(worker),
      stats_(std::move(stats)),
      counts_(std::move(counts)),
      selector_(pool,
                static_cast<uint64_t>(absl::ToUnixNanos(worker.started_at)) + worker.worker_index),
      connections_({worker.loop, worker.chunks, worker.sink, *this, stats_->pool(pool_index),
                    stats_->process()},
                   pool, ShardCellsOf(*stats_, pool_index, pool->shard_count())),
      handler_(std::make_unique<RedisHandler>(pool, selector_, worker.chunks, worker.worker_count,
                                              worker.started_at)),
      context_{worker.loop,  worker.chunks, worker.requests,         *this, pool, selector_,
               connections_, *handler_,     stats_->pool(pool_index)},
      progress_timer_(worker.loop.timers(), [this] { CheckProgress(); }) {
  if (pool->config.preconnect) connections_.Preconnect();
}

PoolRuntime::~PoolRuntime() { CloseAllSessions(); }

void PoolRuntime::Update(PoolSnapshotPtr pool, std::shared_ptr<StatsTable> stats,
                         size_t pool_index) {
  stats_ = std::move(stats);
  const PoolSnapshotPtr before = std::exchange(context_.pool, std::move(pool));
  if (before == context_.pool) return;
  const PoolConfig& config = context_.pool->config;
  std::vector<bool> live = LiveShards(config, before->config, selector_);
  const bool rehash =
      config.missing_shard == MissingShard::kRehash && !std::ranges::all_of(live, std::identity());
  // Not among the arguments: they may be evaluated from the last to the first.
  std::shared_ptr<const Ring> ring = rehash ? BuildPoolRing(config, live) : context_.pool->ring;
  selector_.Update(context_.pool, std::move(ring), std::move(live));
  connections_.Update(context_.pool,
                      ShardCellsOf(*stats_, pool_index, context_.pool->shard_count()));
  handler_->Update(context_.pool);
  shards_at_.clear();
  if (config.preconnect) connections_.Preconnect();
}

void PoolRuntime::AddSession(UniqueFd fd, SessionCounts& counted) {
  if (&counted != counts_.get()) {
    counted.Remove(worker_.worker_index);
    counts_->Add(worker_.worker_index);
  }
  SetNoDelay(fd.get());
  if (context_.pool->config.tcpkeepalive) SetKeepAlive(fd.get());
  // Ids are unique in the process: the worker is in the low part.
  const uint64_t id = ++worker_.sessions_so_far * worker_.worker_count + worker_.worker_index;
  auto session =
      std::make_unique<Session>(context_, id, std::make_unique<PlainTransport>(std::move(fd)));
  session->owner_index = sessions_.size();
  sessions_.push_back(std::move(session));
  if (!progress_timer_.armed()) progress_timer_.ArmAt(worker_.loop.now() + kProgressCheck);
  stats_->process().CountOpened();
}

void PoolRuntime::CheckProgress() {
  const Duration limit = absl::ToChronoNanoseconds(context_.pool->config.progress_limit);
  // Backwards: closing moves the last session to the closed one's place.
  for (size_t i = sessions_.size(); i-- > 0;) sessions_[i]->CheckProgress(limit);
  if (!sessions_.empty()) progress_timer_.ArmAt(worker_.loop.now() + kProgressCheck);
}

void PoolRuntime::OnSessionClosed(Session* session) {
  const size_t index = session->owner_index;
  CHECK(sessions_[index].get() == session);
  worker_.loop.DeleteLater(std::move(sessions_[index]));
  if (index + 1 != sessions_.size()) {
    sessions_[index] = std::move(sessions_.back());
    sessions_[index]->owner_index = index;
  }
  sessions_.pop_back();
  counts_->Remove(worker_.worker_index);
  stats_->process().CountClosed();
}

void PoolRuntime::OnShardFailure(uint32_t shard, ShardFailure failure) {
  if (leaving_ || shard == kRemovedShard) return;
  const PoolConfig& config = context_.pool->config;
  worker_.health.ReportFailure(config.name, config.servers[shard], failure);
}

void PoolRuntime::OnIdleClose(uint32_t shard) {
  if (leaving_ || shard == kRemovedShard) return;
  worker_.health.ReportIdleClose(context_.pool->config.servers[shard]);
}

void PoolRuntime::OnVariantRefused(uint32_t shard) {
  if (leaving_ || shard == kRemovedShard) return;
  LOG_EVENT_LIMITED(LogLevel::kWarn, "pool_speaks_resp2_only", {"pool", pool().config.name},
                    {"shard", pool().config.servers[shard].name});
  SpeakBaseVariant();
  worker_.health.ReportVariantRefused(context_.pool);
}

void PoolRuntime::OnShardSuccess(uint32_t shard) {
  if (leaving_ || shard == kRemovedShard) return;
  const PoolConfig& config = context_.pool->config;
  worker_.health.ReportSuccess(config.name, config.servers[shard]);
}

void PoolRuntime::SetHealth(std::shared_ptr<const Ring> ring, std::vector<bool> live) {
  for (uint32_t i = 0; i < live.size(); ++i) {
    if (live[i] && selector_.ejected(i)) connections_.ConnectAgain(i);
  }
  selector_.SetHealth(std::move(ring), std::move(live));
}

void PoolRuntime::SetAddresses(const Endpoint& endpoint,
                               const std::vector<ResolvedAddress>& addresses) {
  const std::vector<ShardConfig>& servers = context_.pool->config.servers;
  if (shards_at_.empty()) {
    for (uint32_t i = 0; i < servers.size(); ++i) {
      shards_at_[FormatEndpoint(servers[i].endpoint)].push_back(i);
    }
  }
  const auto found = shards_at_.find(FormatEndpoint(endpoint));
  if (found == shards_at_.end()) return;
  for (const uint32_t shard : found->second) connections_.SetAddresses(shard, addresses);
}

void PoolRuntime::CloseQuietSessions(Duration idle) {
  // Backwards: closing moves the last session to the closed one's place.
  for (size_t i = sessions_.size(); i-- > 0;) {
    Session& session = *sessions_[i];
    if (session.quiet() && worker_.loop.now() - session.last_active() >= idle) session.Close();
  }
}

void PoolRuntime::CloseAllSessions() {
  while (!sessions_.empty()) sessions_.back()->Close();
}

void PoolRuntime::EndAllSessions() {
  // Each closes at the end of a turn at the earliest, so none leaves the list meanwhile.
  for (const auto& session : sessions_) session->EndAfterInput();
}

void PoolRuntime::SetMemoryPressure(bool pressure) {
  if (std::exchange(context_.memory_pressure, pressure) == pressure) return;
  for (const auto& session : sessions_) session->Resume();
}

void PoolRuntime::KeepOutputLimit(uint64_t bytes_in_use) {
  const uint64_t limit = context_.pool->config.pool_output_limit;
  const uint32_t worker = worker_.worker_index;
  uint64_t own = 0;
  if (limit != 0 && bytes_in_use > limit) {
    for (const auto& session : sessions_) own += session->unsent();
  }
  counts_->SetUnsent(worker, own);
  while (own > 0 && counts_->total_unsent() > limit && counts_->HasMostUnsent(worker)) {
    Session& largest = **std::ranges::max_element(
        sessions_, {}, [](const auto& session) { return session->unsent(); });
    const size_t unsent = largest.unsent();
    context_.stats.closed_by_pool_output_limit.Add();
    LOG_EVENT_LIMITED(LogLevel::kWarn, "pool_output_limit", {"pool", context_.pool->config.name},
                      {"session", largest.id()}, {"client", PeerOf(largest.fd())},
                      {"unsent_bytes", unsent}, {"limit", limit});
    largest.Close();
    own -= unsent;
    counts_->SetUnsent(worker, own);
  }
}

Session* PoolRuntime::FindLargestSession() {
  Session* largest = nullptr;
  for (const auto& session : sessions_) {
    if (session->held() > (largest == nullptr ? 0 : largest->held())) largest = session.get();
  }
  return largest;
}

}  // namespace weir
