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

size_t IndexOf(ConnectionVariant variant) { return static_cast<size_t>(variant); }

}  // namespace

PoolConnections::PoolConnections(const UpstreamContext& context, PoolSnapshotPtr pool,
                                 ShardCells cells)
    : context_(context),
      pool_(std::move(pool)),
      sweep_timer_(context.loop.timers(), [this] { Sweep(); }) {
  CHECK_EQ(cells.size(), pool_->shard_count());
  for (uint32_t i = 0; i < pool_->shard_count(); ++i) {
    shards_.push_back(NewShard(pool_->config.servers[i], std::move(cells[i])));
  }
}

PoolConnections::~PoolConnections() {
  for (const std::unique_ptr<Shard>& shard : shards_)
    CountSetAside(*shard, -static_cast<int64_t>(shard->set_aside_count));
}

std::unique_ptr<PoolConnections::Shard> PoolConnections::NewShard(
    const ShardConfig& config, std::shared_ptr<ShardStats> stats) {
  auto shard = std::make_unique<Shard>();
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
  Shard& s = *shards_[shard];
  return std::make_unique<UpstreamConnection>(context_, s.settings, s.addresses, *s.stats, shard,
                                              variant);
}

UpstreamConnection& PoolConnections::Shared(uint32_t shard, ConnectionSlot slot,
                                            ConnectionVariant variant) {
  std::vector<Way>& ways = shards_[shard]->ways[IndexOf(variant)];
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
                                                       ConnectionVariant variant) {
  const Way* way = FindWay(shard, slot, variant);
  if (way == nullptr || way->shared == nullptr) return nullptr;
  UpstreamConnection* connection = way->shared.get();
  return connection->expired() > 0 || connection->held() ? connection : nullptr;
}

void PoolConnections::NoteLargeReply(const UpstreamConnection& connection) {
  if (const Fragment* asked = connection.first_pending()) large_replies_.Add(asked->mark);
  if (connection.shard() != kRemovedShard) SetAside(connection);
}

void PoolConnections::SetAside(const UpstreamConnection& connection) {
  Shard& s = *shards_[connection.shard()];
  if (s.leased.size() + s.set_aside_count >= pool_->config.max_leases) return;
  for (Way& way : s.ways[IndexOf(connection.variant())]) {
    if (way.shared.get() != &connection) continue;
    way.set_aside.push_back(std::move(way.shared));
    CountSetAside(s, 1);
    ++set_aside_version_;
    context_.pool_stats.set_aside_total.Add();
    if (!sweep_timer_.armed()) sweep_timer_.ArmAt(context_.loop.now() + kSweepInterval);
    return;
  }
}

void PoolConnections::CountSetAside(Shard& shard, int64_t change) {
  shard.set_aside_count += static_cast<size_t>(change);
  context_.pool_stats.set_aside.Add(change);
}

void PoolConnections::SweepSetAside(Shard& shard) {
  for (std::vector<Way>& ways : shard.ways) {
    for (Way& way : ways) SweepSetAside(shard, way);
  }
}

void PoolConnections::SweepSetAside(Shard& shard, Way& way) {
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
  Shard& s = *shards_[shard];
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
  Shard& s = *shards_[connection->shard()];
  s.leased.push_back(std::move(connection));
  context_.pool_stats.leases_total.Add();
  context_.pool_stats.leases.Add();
  return s.leased.back().get();
}

UpstreamConnection* PoolConnections::TakeAsLease(UpstreamConnection* connection) {
  if (connection->shard() == kRemovedShard) return nullptr;
  Shard& s = *shards_[connection->shard()];
  if (s.leased.size() >= pool_->config.max_leases) return nullptr;
  std::unique_ptr<UpstreamConnection> taken = Remove(s, connection);
  return taken == nullptr ? nullptr : CountLease(std::move(taken));
}

std::unique_ptr<UpstreamConnection> PoolConnections::Remove(Shard& shard,
                                                            const UpstreamConnection* connection) {
  const auto is_it = [&](const auto& other) { return other.get() == connection; };
  for (Way& way : shard.ways[IndexOf(connection->variant())]) {
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
  Shard& s = ShardOfLease(connection);
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

void PoolConnections::KeepIdle(Shard& shard, std::unique_ptr<UpstreamConnection> connection) {
  const bool removed = connection->shard() == kRemovedShard;
  if (!removed && connection->ready() && shard.idle.size() < kMostIdle) {
    shard.idle.push_back(std::move(connection));
  } else {
    connection->Close(Failure::kReset);
    context_.loop.DeleteLater(std::move(connection));
  }
}

PoolConnections::Shard& PoolConnections::ShardOfLease(UpstreamConnection* connection) {
  if (connection->shard() != kRemovedShard) return *shards_[connection->shard()];
  for (const std::unique_ptr<Shard>& shard : retired_) {
    for (const auto& lease : shard->leased) {
      if (lease.get() == connection) return *shard;
    }
  }
  CHECK(false);
  return *retired_.front();
}

// --- Reloads ---

void PoolConnections::Update(PoolSnapshotPtr pool, ShardCells cells) {
  CHECK_EQ(cells.size(), pool->shard_count());
  const PoolSnapshotPtr old_pool = std::exchange(pool_, std::move(pool));
  std::vector<std::unique_ptr<Shard>> old = std::exchange(shards_, {});
  const PoolConfig& before = old_pool->config;
  const PoolConfig& now = pool_->config;
  absl::flat_hash_map<std::string_view, uint32_t> old_index;
  for (uint32_t i = 0; i < old.size(); ++i) old_index[before.servers[i].name] = i;
  absl::flat_hash_map<std::string_view, uint32_t> begun;
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
    begun[now.servers[i].name] = i;
  }
  for (std::unique_ptr<Shard>& shard : old) {
    if (shard != nullptr) Retire(std::move(shard));
  }
  if (!retired_.empty()) Sweep();
  // Also those of reloads before this one: the state in between may have waited for nobody.
  for (const std::unique_ptr<Shard>& shard : retired_) {
    auto next = begun.find(shard->config.name);
    if (next == begun.end()) continue;
    Shard& successor = *shards_[next->second];
    if (shard->addresses.empty() && !successor.addresses.empty()) {
      SetAddresses(*shard, kRemovedShard, successor.addresses);
    }
    HandOver(*shard, successor, next->second);
  }
}

void PoolConnections::Keep(uint32_t index) {
  Shard& shard = *shards_[index];
  const ConnectionSettings before = shard.settings;
  shard.config = pool_->config.servers[index];
  shard.settings = SettingsOf(*pool_, shard.config);
  const bool shorter = shard.settings.timeout < before.timeout ||
                       shard.settings.silence_limit < before.silence_limit;
  ForEachConnection(shard, [&](UpstreamConnection& connection) {
    connection.SetShard(index);
    if (shorter) connection.ShortenDeadlines();
  });
}

bool PoolConnections::GoesWhere(const Shard& before, const Shard& shard) {
  const bool waits = before.addresses.empty() && before.config.name == shard.config.name;
  return waits || before.config.SamePlaceAs(shard.config);
}

void PoolConnections::HandOver(const Shard& before, Shard& shard, uint32_t index) {
  const bool same_place = GoesWhere(before, shard);
  const auto stays = [&](const ResolvedAddress& address) {
    return std::ranges::find(shard.addresses, address) != shard.addresses.end();
  };
  const bool some_stay = std::ranges::any_of(before.addresses, stays);
  const auto hand_over = [&](const std::unique_ptr<UpstreamConnection>& last, uint32_t slot) {
    if (last == nullptr || last->pending() == 0) return;
    const bool there =
        (last->may_move() && some_stay) || (last->address() != nullptr && stays(*last->address()));
    if (!same_place && !there) return;
    if (index != kRemovedShard) {
      return HoldBehind(last.get(), &Shared(index, ConnectionSlot{slot}, last->variant()));
    }
    // One on its way out gets no new connections.
    const std::vector<Way>& ways = shard.ways[IndexOf(last->variant())];
    if (slot < ways.size() && ways[slot].shared) HoldBehind(last.get(), ways[slot].shared.get());
  };
  for (const std::vector<Way>& ways : before.ways) {
    for (uint32_t slot = 0; slot < ways.size(); ++slot) {
      for (const auto& aside : ways[slot].set_aside) hand_over(aside, slot);
      hand_over(ways[slot].shared, slot);
    }
  }
}

void PoolConnections::HoldBehind(UpstreamConnection* before, UpstreamConnection* after) {
  if (!after->CanHold()) return;
  if (!after->held()) after->Hold();
  const auto is_it = [&](const Handover& h) { return h.before == before && h.after == after; };
  if (std::ranges::none_of(handovers_, is_it)) handovers_.push_back({before, after});
}

void PoolConnections::EndHandovers(const UpstreamConnection* connection) {
  std::vector<UpstreamConnection*> waited;
  std::erase_if(handovers_, [&](const Handover& handover) {
    if (handover.before == connection) waited.push_back(handover.after);
    return handover.before == connection || handover.after == connection;
  });
  for (UpstreamConnection* after : waited) {
    const auto other = std::ranges::find(handovers_, after, &Handover::after);
    if (other == handovers_.end()) after->LetGo();
  }
}

void PoolConnections::Retire(std::unique_ptr<Shard> shard) {
  ForEachConnection(*shard,
                    [](UpstreamConnection& connection) { connection.SetShard(kRemovedShard); });
  // No session looks for them any more: they are on their way out like the others.
  CountSetAside(*shard, -static_cast<int64_t>(shard->set_aside_count));
  // Nothing that follows in its session would wait for what expired there: it is to be dropped, so
  // that it takes no effect behind that.
  std::vector<UpstreamConnection*> late;
  for (const auto& lease : shard->leased) {
    if (lease->expired() > 0) late.push_back(lease.get());
  }
  retired_.push_back(std::move(shard));
  for (UpstreamConnection* lease : late) lease->Close(Failure::kRemoved);
}

void PoolConnections::Sweep() {
  SweepRetired();
  bool again = !retired_.empty();
  for (const std::unique_ptr<Shard>& shard : shards_) {
    if (shard->set_aside_count > 0) SweepSetAside(*shard);
    again = again || shard->set_aside_count > 0;
  }
  if (again) sweep_timer_.ArmAt(context_.loop.now() + kSweepInterval);
}

void PoolConnections::SweepRetired() {
  std::vector<std::unique_ptr<Shard>> left;
  for (std::unique_ptr<Shard>& shard : retired_) {
    bool over = CloseIfDone(shard->idle) && shard->leased.empty();
    for (std::vector<Way>& ways : shard->ways) {
      for (Way& way : ways) {
        over = CloseIfDone(way.set_aside) && over;
        over = CloseIfDone({&way.shared, 1}) && over;
      }
    }
    if (over) {
      context_.loop.DeleteLater(std::move(shard));
    } else {
      left.push_back(std::move(shard));
    }
  }
  retired_ = std::move(left);
}

bool PoolConnections::CloseIfDone(std::span<std::unique_ptr<UpstreamConnection>> connections) {
  bool all = true;
  for (std::unique_ptr<UpstreamConnection>& connection : connections) {
    if (connection == nullptr) continue;
    if (connection->pending() > 0) {
      all = false;
      continue;
    }
    EndHandovers(connection.get());
    connection->Close(Failure::kRemoved);
    context_.loop.DeleteLater(std::move(connection));
  }
  return all;
}

template <typename Function>
void PoolConnections::ForEachConnection(Shard& shard, const Function& function) {
  // A fragment that fails may let its session give a lease back: never by iterator. Such a lease
  // lives to the end of the turn.
  std::vector<UpstreamConnection*> connections;
  const auto add = [&](const auto& connection) { connections.push_back(connection.get()); };
  for (const std::vector<Way>& ways : shard.ways) {
    for (const Way& way : ways) {
      std::ranges::for_each(way.set_aside, add);
      add(way.shared);
    }
  }
  std::ranges::for_each(shard.leased, add);
  std::ranges::for_each(shard.idle, add);
  for (UpstreamConnection* connection : connections) {
    if (connection != nullptr) function(*connection);
  }
}

// --- Places ---

void PoolConnections::SetAddresses(uint32_t shard, const std::vector<ResolvedAddress>& addresses) {
  // What began to wait for an address before a reload goes on, too, and others behind it.
  for (const std::unique_ptr<Shard>& earlier : retired_) {
    if (GoesWhere(*earlier, *shards_[shard])) SetAddresses(*earlier, kRemovedShard, addresses);
  }
  SetAddresses(*shards_[shard], shard, addresses);
}

void PoolConnections::SetAddresses(Shard& shard, uint32_t index,
                                   const std::vector<ResolvedAddress>& addresses) {
  shard.addresses = addresses;
  for (const std::unique_ptr<Shard>& earlier : retired_) {
    if (earlier.get() == &shard) break;
    if (earlier->config.name == shard.config.name) HandOver(*earlier, shard, index);
  }
  ForEachConnection(shard, [](UpstreamConnection& connection) { connection.OnAddressesChanged(); });
}

void PoolConnections::ConnectAgain(uint32_t shard) {
  ForEachConnection(*shards_[shard], [](UpstreamConnection& connection) {
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
