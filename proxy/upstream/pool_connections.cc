#include "proxy/upstream/pool_connections.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "proxy/base/check.h"

namespace weir {
namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds(10);

Duration ToDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return Duration::max();
  return absl::ToChronoNanoseconds(duration);
}

ConnectionSettings SettingsOf(const PoolSnapshot& pool, const ShardConfig& shard) {
  const PoolConfig& config = pool.config;
  return {.timeout = ToDuration(config.timeout),
          .silence_limit = ToDuration(config.shard_silence_limit),
          .login = pool.login(),
          .label = {.pool = config.name, .shard = shard.name}};
}

}  // namespace

PoolConnections::PoolConnections(const UpstreamContext& context, PoolSnapshotPtr pool,
                                 ShardCells cells)
    : context_(context),
      pool_(std::move(pool)),
      handovers_(context.loop),
      sweep_timer_(context.loop.timers(), [this] { Sweep(); }) {
  CHECK_EQ(cells.size(), pool_->shard_count());
  for (uint32_t i = 0; i < pool_->shard_count(); ++i) {
    shards_.push_back(NewShard(pool_->config.servers[i], std::move(cells[i])));
  }
}

PoolConnections::~PoolConnections() {
  for (const std::unique_ptr<ShardConnections>& shard : shards_)
    CountSetAside(*shard, -static_cast<int64_t>(shard->set_aside_count));
}

std::unique_ptr<ShardConnections> PoolConnections::NewShard(const ShardConfig& config,
                                                            std::shared_ptr<ShardStats> stats) {
  auto shard = std::make_unique<ShardConnections>();
  shard->config = config;
  shard->stats = std::move(stats);
  shard->settings = SettingsOf(*pool_, config);
  std::optional<ResolvedAddress> literal = LiteralAddress(config.endpoint);
  if (literal.has_value()) shard->addresses.push_back(*literal);
  for (const Endpoint& endpoint : config.more_endpoints) {
    if ((literal = LiteralAddress(endpoint))) shard->addresses.push_back(*literal);
  }
  return shard;
}

std::unique_ptr<UpstreamConnection> PoolConnections::NewConnection(uint32_t shard,
                                                                   ConnectionVariant variant) {
  ShardConnections& s = *shards_[shard];
  return std::make_unique<UpstreamConnection>(context_, s.settings, s.addresses, *s.stats, shard,
                                              variant);
}

UpstreamConnection& PoolConnections::Shared(uint32_t shard, ConnectionSlot slot,
                                            ConnectionVariant variant) {
  std::vector<Way>& ways = shards_[shard]->WaysOf(variant);
  if (slot.index >= ways.size()) [[unlikely]] {
    ways.resize(slot.index + 1);
  }
  Way& way = ways[slot.index];
  if (way.shared == nullptr) [[unlikely]] {
    SweepSetAside(*shards_[shard], way);
    if (way.shared == nullptr) way.shared = IdleOrNew(shard, variant);
  }
  return *way.shared;
}

UpstreamConnection* PoolConnections::SharedWithExpired(uint32_t shard, ConnectionSlot slot,
                                                       ConnectionVariant variant,
                                                       ConnectionChoice chosen) {
  const Way* way = shards_[shard]->FindWay(slot, variant);
  UpstreamConnection* shared = way == nullptr ? nullptr : way->shared.get();
  if (shared != nullptr && shared->expired() > 0 && chosen(*shared)) return shared;
  if (handovers_.FindBefore(*shards_[shard], slot, variant, chosen) == nullptr) return nullptr;
  return &Shared(shard, slot, variant);
}

void PoolConnections::NoteLargeReply(const UpstreamConnection& connection) {
  if (const Fragment* asked = connection.first_pending()) large_replies_.Add(asked->mark);
  if (connection.shard() != kRemovedShard) SetAside(connection);
}

void PoolConnections::SetAside(const UpstreamConnection& connection) {
  ShardConnections& s = *shards_[connection.shard()];
  if (s.leased.size() + s.set_aside_count >= pool_->config.max_leases) return;
  for (Way& way : s.WaysOf(connection.variant())) {
    if (way.shared.get() != &connection) continue;
    way.set_aside.push_back(std::move(way.shared));
    CountSetAside(s, 1);
    ++set_aside_version_;
    context_.pool_stats.set_aside_total.Add();
    if (!sweep_timer_.armed()) sweep_timer_.ArmAt(context_.loop.now() + kSweepInterval);
    return;
  }
}

void PoolConnections::CountSetAside(ShardConnections& shard, int64_t change) {
  shard.set_aside_count += static_cast<size_t>(change);
  context_.pool_stats.set_aside.Add(change);
}

void PoolConnections::SweepSetAside(ShardConnections& shard) {
  for (std::vector<Way>& ways : shard.ways) {
    for (Way& way : ways) SweepSetAside(shard, way);
  }
}

void PoolConnections::SweepSetAside(ShardConnections& shard, Way& way) {
  // The one that took its place cannot connect: back to the last one that works.
  if (way.shared != nullptr && way.shared->backing_off() && !way.set_aside.empty() &&
      way.set_aside.back()->ready()) {
    KeepIdle(shard, std::exchange(way.shared, std::move(way.set_aside.back())));
    way.set_aside.pop_back();
    CountSetAside(shard, -1);
  }
  Connections left;
  for (std::unique_ptr<UpstreamConnection>& connection : way.set_aside) {
    if (connection->pending() > 0) {
      left.push_back(std::move(connection));
      continue;
    }
    CountSetAside(shard, -1);
    if (way.shared == nullptr) {
      way.shared = std::move(connection);
    } else {
      KeepIdle(shard, std::move(connection));
    }
  }
  way.set_aside = std::move(left);
}

UpstreamConnection* PoolConnections::BeginLease(uint32_t shard, ConnectionVariant variant) {
  ShardConnections& s = *shards_[shard];
  if (s.leased.size() >= pool_->config.max_leases) return nullptr;
  return CountLease(IdleOrNew(shard, variant));
}

std::unique_ptr<UpstreamConnection> PoolConnections::IdleOrNew(uint32_t shard,
                                                               ConnectionVariant variant) {
  Connections& idle = shards_[shard]->idle;
  auto found = std::ranges::find_if(idle, [&](const auto& c) { return c->variant() == variant; });
  if (found == idle.end()) return NewConnection(shard, variant);
  std::unique_ptr<UpstreamConnection> connection = std::move(*found);
  idle.erase(found);
  return connection;
}

UpstreamConnection* PoolConnections::CountLease(std::unique_ptr<UpstreamConnection> connection) {
  ShardConnections& s = *shards_[connection->shard()];
  s.leased.push_back(std::move(connection));
  context_.pool_stats.leases_total.Add();
  context_.pool_stats.leases.Add();
  return s.leased.back().get();
}

UpstreamConnection* PoolConnections::TakeAsLease(UpstreamConnection* connection) {
  if (connection->shard() == kRemovedShard) return nullptr;
  ShardConnections& s = *shards_[connection->shard()];
  if (s.leased.size() >= pool_->config.max_leases) return nullptr;
  std::unique_ptr<UpstreamConnection> taken = Remove(s, connection);
  return taken == nullptr ? nullptr : CountLease(std::move(taken));
}

std::unique_ptr<UpstreamConnection> PoolConnections::Remove(ShardConnections& shard,
                                                            const UpstreamConnection* connection) {
  const auto is_it = [&](const auto& other) { return other.get() == connection; };
  for (Way& way : shard.WaysOf(connection->variant())) {
    if (is_it(way.shared)) return std::move(way.shared);
    auto found = std::ranges::find_if(way.set_aside, is_it);
    if (found == way.set_aside.end()) continue;
    std::unique_ptr<UpstreamConnection> taken = std::move(*found);
    way.set_aside.erase(found);
    CountSetAside(shard, -1);
    return taken;
  }
  return nullptr;
}

void PoolConnections::EndLease(UpstreamConnection* connection) {
  ShardConnections& s = ShardOfLease(connection);
  auto it = std::find_if(s.leased.begin(), s.leased.end(),
                         [&](const auto& c) { return c.get() == connection; });
  CHECK(it != s.leased.end());
  std::unique_ptr<UpstreamConnection> lease = std::move(*it);
  s.leased.erase(it);
  context_.pool_stats.leases.Subtract();
  lease->SetSentCallback(nullptr);
  lease->SetDrainedCallback(nullptr);
  if (lease->pending() > 0 || lease->unsent() > 0) lease->Close(Failure::kReset);
  lease->SetReading(true);
  KeepIdle(s, std::move(lease));
}

void PoolConnections::KeepIdle(ShardConnections& shard,
                               std::unique_ptr<UpstreamConnection> connection) {
  const bool removed = connection->shard() == kRemovedShard;
  if (!removed && connection->ready() && shard.idle.size() < kMostIdle) {
    shard.idle.push_back(std::move(connection));
  } else {
    connection->Close(Failure::kReset);
    context_.loop.DeleteLater(std::move(connection));
  }
}

ShardConnections& PoolConnections::ShardOfLease(UpstreamConnection* connection) {
  if (connection->shard() != kRemovedShard) return *shards_[connection->shard()];
  return handovers_.StateOf(*connection);
}

// --- Reloads ---

void PoolConnections::Update(PoolSnapshotPtr pool, ShardCells cells) {
  CHECK_EQ(cells.size(), pool->shard_count());
  const PoolSnapshotPtr old_pool = std::exchange(pool_, std::move(pool));
  std::vector<std::unique_ptr<ShardConnections>> old = std::exchange(shards_, {});
  const PoolConfig& before = old_pool->config;
  const PoolConfig& now = pool_->config;
  absl::flat_hash_map<std::string_view, uint32_t> old_index;
  for (uint32_t i = 0; i < old.size(); ++i) old_index[before.servers[i].name] = i;
  std::vector<uint32_t> begun;
  const bool same_login = old_pool->login() == pool_->login();
  for (uint32_t i = 0; i < now.servers.size(); ++i) {
    auto found = old_index.find(now.servers[i].name);
    const bool same_place =
        found != old_index.end() && before.servers[found->second].SamePlaceAs(now.servers[i]);
    if (same_place && same_login) {
      shards_.push_back(std::move(old[found->second]));
      Keep(i);
      continue;
    }
    shards_.push_back(NewShard(now.servers[i], std::move(cells[i])));
    // What its host name resolved to holds on.
    if (same_place) shards_[i]->addresses = old[found->second]->addresses;
    begun.push_back(i);
  }
  for (std::unique_ptr<ShardConnections>& shard : old) {
    if (shard != nullptr) Retire(std::move(shard));
  }
  if (!handovers_.empty()) Sweep();
  for (const uint32_t i : begun) handovers_.GiveFirstAddresses(*shards_[i]);
}

void PoolConnections::Keep(uint32_t index) {
  ShardConnections& shard = *shards_[index];
  const ConnectionSettings before = shard.settings;
  shard.config = pool_->config.servers[index];
  shard.settings = SettingsOf(*pool_, shard.config);
  const bool shorter = shard.settings.timeout < before.timeout ||
                       shard.settings.silence_limit < before.silence_limit;
  shard.ForEach([&](UpstreamConnection& connection) {
    connection.SetShard(index);
    if (shorter) connection.ShortenDeadlines();
  });
}

void PoolConnections::Retire(std::unique_ptr<ShardConnections> shard) {
  shard->ForEach([](UpstreamConnection& connection) { connection.SetShard(kRemovedShard); });
  // No session looks for them any more: they are on their way out like the others.
  CountSetAside(*shard, -static_cast<int64_t>(shard->set_aside_count));
  // Nothing that follows in its session would wait for what expired there: it is to be dropped, so
  // that it takes no effect behind that.
  std::vector<UpstreamConnection*> late;
  for (const auto& lease : shard->leased) {
    if (lease->expired() > 0) late.push_back(lease.get());
  }
  handovers_.Add(std::move(shard));
  for (UpstreamConnection* lease : late) lease->Close(Failure::kRemoved);
}

void PoolConnections::Sweep() {
  handovers_.Sweep();
  bool again = !handovers_.empty();
  for (const std::unique_ptr<ShardConnections>& shard : shards_) {
    if (shard->set_aside_count > 0) SweepSetAside(*shard);
    again = again || shard->set_aside_count > 0;
  }
  if (again) sweep_timer_.ArmAt(context_.loop.now() + kSweepInterval);
}

// --- Places ---

void PoolConnections::SetAddresses(uint32_t shard, const std::vector<ResolvedAddress>& addresses) {
  shards_[shard]->addresses = addresses;
  // What began to wait for an address before a reload goes on, too, and others behind it.
  handovers_.SetAddresses(*shards_[shard]);
  shards_[shard]->ForEach([](UpstreamConnection& connection) { connection.OnAddressesChanged(); });
}

void PoolConnections::ConnectAgain(uint32_t shard) {
  shards_[shard]->ForEach([](UpstreamConnection& connection) {
    if (connection.backing_off()) connection.Connect();
  });
  if (pool_->config.preconnect) PreconnectShard(shard);
}

void PoolConnections::Preconnect() {
  for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
    if (!context_.observer.IsEjected(shard)) PreconnectShard(shard);
  }
}

void PoolConnections::PreconnectShard(uint32_t shard) {
  for (uint32_t i = 0; i < pool_->config.server_connections; ++i) {
    Shared(shard, ConnectionSlot{i}, ConnectionVariant::kBase).Connect();
  }
}

}  // namespace weir
