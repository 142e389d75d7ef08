#include "proxy/upstream/pool_connections.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"

namespace weir {
namespace {

Duration ToDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return Duration::max();
  return absl::ToChronoNanoseconds(duration);
}

size_t VersionIndex(RespVersion version) { return version == RespVersion::kResp3 ? 1 : 0; }

}  // namespace

PoolConnections::PoolConnections(const UpstreamContext& context, PoolSnapshotPtr pool,
                                 std::vector<ShardStats*> shard_stats)
    : context_(context), pool_(std::move(pool)) {
  const PoolConfig& config = pool_->config;
  settings_ = {.timeout = ToDuration(config.timeout),
               .silence_limit = ToDuration(config.shard_silence_limit),
               .auth = config.redis_auth,
               .db = config.redis_db};
  CHECK_EQ(shard_stats.size(), pool_->shard_count());
  for (uint32_t i = 0; i < pool_->shard_count(); ++i) {
    shards_.push_back(std::make_unique<Shard>());
    shards_.back()->stats = shard_stats[i];
    std::optional<ResolvedAddress> literal = LiteralAddress(config.servers[i].endpoint);
    if (literal.has_value()) shards_.back()->addresses.push_back(*literal);
  }
}

std::unique_ptr<UpstreamConnection> PoolConnections::NewConnection(uint32_t shard,
                                                                   RespVersion version) {
  Shard& s = *shards_[shard];
  return std::make_unique<UpstreamConnection>(context_, settings_, s.addresses, *s.stats, shard,
                                              version);
}

UpstreamConnection& PoolConnections::Shared(uint32_t shard, uint64_t session_id,
                                            RespVersion version) {
  auto& shared = shards_[shard]->shared[VersionIndex(version)];
  if (shared.empty()) [[unlikely]] {
    shared.resize(pool_->config.server_connections);
  }
  std::unique_ptr<UpstreamConnection>& connection =
      shared.size() == 1 ? shared[0] : shared[session_id % shared.size()];
  if (connection == nullptr) [[unlikely]] {
    connection = NewConnection(shard, version);
  }
  return *connection;
}

UpstreamConnection* PoolConnections::BeginLease(uint32_t shard, RespVersion version) {
  Shard& s = *shards_[shard];
  if (s.leased.size() >= pool_->config.max_leases) return nullptr;
  auto idle = std::find_if(s.idle_leases.begin(), s.idle_leases.end(),
                           [&](const auto& c) { return c->version() == version; });
  if (idle != s.idle_leases.end()) {
    s.leased.push_back(std::move(*idle));
    s.idle_leases.erase(idle);
  } else {
    s.leased.push_back(NewConnection(shard, version));
  }
  context_.pool_stats.leases_total.Add();
  context_.pool_stats.leases.Add();
  return s.leased.back().get();
}

void PoolConnections::EndLease(UpstreamConnection* connection) {
  Shard& s = *shards_[connection->shard()];
  auto it = std::find_if(s.leased.begin(), s.leased.end(),
                         [&](const auto& c) { return c.get() == connection; });
  CHECK(it != s.leased.end());
  std::unique_ptr<UpstreamConnection> lease = std::move(*it);
  s.leased.erase(it);
  context_.pool_stats.leases.Subtract();
  lease->SetSentCallback(nullptr);
  if (lease->pending() > 0 || lease->unsent() > 0) lease->Close(Failure::kReset);
  lease->SetReading(true);
  if (lease->ready() && s.idle_leases.size() < kIdleLeases) {
    s.idle_leases.push_back(std::move(lease));
  } else {
    context_.loop.DeleteLater(std::move(lease));
  }
}

void PoolConnections::SetAddresses(uint32_t shard, std::vector<ResolvedAddress> addresses) {
  shards_[shard]->addresses = std::move(addresses);
}

void PoolConnections::Preconnect() {
  for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
    for (uint32_t i = 0; i < pool_->config.server_connections; ++i) {
      Shared(shard, i, RespVersion::kResp2).Connect();
    }
  }
}

}  // namespace weir
