#include "proxy/upstream/pool_connections.h"

#include <algorithm>
#include <optional>
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
                                                       ConnectionVariant variant, Choice chosen) {
  const Way* way = FindWay(shard, slot, variant);
  UpstreamConnection* shared = way == nullptr ? nullptr : way->shared.get();
  if (shared != nullptr && shared->expired() > 0 && chosen(*shared)) return shared;
  if (FindBefore(*shards_[shard], slot, variant, chosen) == nullptr) return nullptr;
  return &Shared(shard, slot, variant);
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
  const States& states = retired_.at(connection->label().shard);
  const auto found = std::ranges::find_if(states, [&](const auto& state) {
    return std::ranges::find(state->leased, connection,
                             &std::unique_ptr<UpstreamConnection>::get) != state->leased.end();
  });
  CHECK(found != states.end());
  return **found;
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
  for (const auto& [name, states] : retired_) {
    auto next = begun.find(name);
    if (next == begun.end()) continue;
    const std::vector<ResolvedAddress>& addresses = shards_[next->second]->addresses;
    for (const std::unique_ptr<Shard>& shard : states) {
      if (shard->addresses.empty() && !addresses.empty()) SetAddresses(*shard, addresses);
    }
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

bool PoolConnections::IsUnderWay(const Shard& earlier, const UpstreamConnection& before,
                                 const Shard& shard) {
  if (before.pending() == 0) return false;
  if (GoesWhere(earlier, shard)) return true;
  const auto stays = [&](const ResolvedAddress& address) {
    return std::ranges::find(shard.addresses, address) != shard.addresses.end();
  };
  if (before.address() != nullptr && stays(*before.address())) return true;
  return before.may_move() && std::ranges::any_of(earlier.addresses, stays);
}

const UpstreamConnection* PoolConnections::FindBefore(const Shard& shard, ConnectionSlot slot,
                                                      ConnectionVariant variant,
                                                      Choice chosen) const {
  const auto states = retired_.find(shard.config.name);
  if (states == retired_.end()) return nullptr;
  for (const std::unique_ptr<Shard>& earlier : states->second) {
    if (earlier.get() == &shard) break;
    const auto fits = [&](const std::unique_ptr<UpstreamConnection>& before) {
      return before != nullptr && IsUnderWay(*earlier, *before, shard) && chosen(*before);
    };
    const std::vector<Way>& ways = earlier->ways[IndexOf(variant)];
    if (slot.index >= ways.size()) continue;
    const Way& way = ways[slot.index];
    const auto aside = std::ranges::find_if(way.set_aside, fits);
    if (aside != way.set_aside.end()) return aside->get();
    if (fits(way.shared)) return way.shared.get();
  }
  return nullptr;
}

std::optional<PoolConnections::Place> PoolConnections::PlaceOf(
    const UpstreamConnection& connection) const {
  const auto is_it = [&](const auto& other) { return other.get() == &connection; };
  const auto find = [&](const Shard& shard) -> std::optional<Place> {
    const std::vector<Way>& ways = shard.ways[IndexOf(connection.variant())];
    for (uint32_t slot = 0; slot < ways.size(); ++slot) {
      if (is_it(ways[slot].shared) || std::ranges::any_of(ways[slot].set_aside, is_it)) {
        return Place{&shard, ConnectionSlot{slot}};
      }
    }
    return std::nullopt;
  };
  if (connection.shard() != kRemovedShard) return find(*shards_[connection.shard()]);
  for (const std::unique_ptr<Shard>& state : retired_.at(connection.label().shard)) {
    if (std::optional<Place> place = find(*state)) return place;
  }
  return std::nullopt;
}

bool PoolConnections::MustWait(UpstreamConnection& connection) {
  if (!retired_.contains(connection.label().shard)) return false;
  const std::optional<Place> place = PlaceOf(connection);
  if (!place.has_value()) return false;
  const auto any = [](const UpstreamConnection&) { return true; };
  const UpstreamConnection* before =
      FindBefore(*place->shard, place->slot, connection.variant(), any);
  if (before == nullptr) return false;
  handovers_.push_back({before, &connection});
  return true;
}

void PoolConnections::EndHandovers(const UpstreamConnection* connection) {
  std::vector<UpstreamConnection*> waited;
  std::erase_if(handovers_, [&](const Handover& handover) {
    if (handover.before == connection) waited.push_back(handover.after);
    return handover.before == connection || handover.after == connection;
  });
  for (UpstreamConnection* after : waited) after->LetGo();
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
  retired_[shard->config.name].push_back(std::move(shard));
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
  std::vector<UpstreamConnection*> closed;
  for (auto& [name, states] : retired_) {
    States left;
    for (std::unique_ptr<Shard>& state : states) {
      if (CloseWhatIsDone(*state, closed)) {
        context_.loop.DeleteLater(std::move(state));
      } else {
        left.push_back(std::move(state));
      }
    }
    states = std::move(left);
  }
  absl::erase_if(retired_, [](const auto& entry) { return entry.second.empty(); });
  // Those that waited look for others to wait for.
  for (const UpstreamConnection* connection : closed) EndHandovers(connection);
}

bool PoolConnections::CloseWhatIsDone(Shard& shard, std::vector<UpstreamConnection*>& closed) {
  bool all = shard.leased.empty();
  const auto close = [&](std::unique_ptr<UpstreamConnection>& connection) {
    if (connection == nullptr) return;
    if (connection->pending() > 0) {
      all = false;
      return;
    }
    connection->Close(Failure::kRemoved);
    closed.push_back(connection.get());
    context_.loop.DeleteLater(std::move(connection));
  };
  std::ranges::for_each(shard.idle, close);
  for (std::vector<Way>& ways : shard.ways) {
    for (Way& way : ways) {
      std::ranges::for_each(way.set_aside, close);
      close(way.shared);
    }
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
  for (const auto& [name, states] : retired_) {
    for (const std::unique_ptr<Shard>& earlier : states) {
      if (GoesWhere(*earlier, *shards_[shard])) SetAddresses(*earlier, addresses);
    }
  }
  SetAddresses(*shards_[shard], addresses);
}

void PoolConnections::SetAddresses(Shard& shard, const std::vector<ResolvedAddress>& addresses) {
  shard.addresses = addresses;
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
