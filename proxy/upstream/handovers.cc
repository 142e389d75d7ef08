#include "proxy/upstream/handovers.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "proxy/base/check.h"

namespace weir {

void Handovers::Add(std::unique_ptr<ShardConnections> state) {
  States& states = states_[state->config.name];
  states.push_back(std::move(state));
}

ShardConnections& Handovers::StateOf(const UpstreamConnection& lease) {
  const States& states = states_.at(lease.label().shard);
  const auto found = std::ranges::find_if(states, [&](const auto& state) {
    return std::ranges::any_of(state->leased, [&](const auto& c) { return c.get() == &lease; });
  });
  CHECK(found != states.end());
  return **found;
}

// --- Order ---

bool Handovers::GoesWhere(const ShardConnections& earlier, const ShardConnections& shard) {
  const bool waits = earlier.addresses.empty() && earlier.config.name == shard.config.name;
  return waits || earlier.config.SamePlaceAs(shard.config);
}

bool Handovers::IsUnderWay(const ShardConnections& earlier, const UpstreamConnection& before,
                           const ShardConnections& shard) {
  if (before.pending() == 0) return false;
  if (GoesWhere(earlier, shard)) return true;
  const auto stays = [&](const ResolvedAddress& address) {
    return std::ranges::find(shard.addresses, address) != shard.addresses.end();
  };
  if (before.address() != nullptr && stays(*before.address())) return true;
  return before.may_move() && std::ranges::any_of(earlier.addresses, stays);
}

const UpstreamConnection* Handovers::FindBefore(const ShardConnections& shard, ConnectionSlot slot,
                                                ConnectionVariant variant,
                                                ConnectionChoice chosen) const {
  const auto states = states_.find(shard.config.name);
  if (states == states_.end()) return nullptr;
  for (const std::unique_ptr<ShardConnections>& earlier : states->second) {
    if (earlier.get() == &shard) break;
    const auto fits = [&](const std::unique_ptr<UpstreamConnection>& before) {
      return before != nullptr && IsUnderWay(*earlier, *before, shard) && chosen(*before);
    };
    const Way* way = earlier->FindWay(slot, variant);
    if (way == nullptr) continue;
    const auto aside = std::ranges::find_if(way->set_aside, fits);
    if (aside != way->set_aside.end()) return aside->get();
    if (fits(way->shared)) return way->shared.get();
  }
  return nullptr;
}

bool Handovers::MustWait(UpstreamConnection& connection, const ShardConnections* shard) {
  const auto states = states_.find(connection.label().shard);
  if (states == states_.end()) return false;
  std::optional<ConnectionSlot> slot;
  if (shard != nullptr) {
    slot = shard->SlotOf(connection);
  } else {
    for (const std::unique_ptr<ShardConnections>& state : states->second) {
      slot = state->SlotOf(connection);
      shard = state.get();
      if (slot.has_value()) break;
    }
  }
  // Who has one of its own minds the order itself.
  if (!slot.has_value()) return false;
  const auto any = [](const UpstreamConnection&) { return true; };
  const UpstreamConnection* before = FindBefore(*shard, *slot, connection.variant(), any);
  if (before == nullptr) return false;
  waits_for_[&connection] = before;
  waiting_[before].push_back(&connection);
  return true;
}

void Handovers::GiveFirstAddresses(const ShardConnections& shard) {
  const auto states = states_.find(shard.config.name);
  if (states == states_.end() || shard.addresses.empty()) return;
  for (const std::unique_ptr<ShardConnections>& earlier : states->second) {
    if (earlier->addresses.empty()) SetAddresses(*earlier, shard.addresses);
  }
}

void Handovers::SetAddresses(const ShardConnections& shard) {
  for (const auto& [name, states] : states_) {
    for (const std::unique_ptr<ShardConnections>& earlier : states) {
      if (GoesWhere(*earlier, shard)) SetAddresses(*earlier, shard.addresses);
    }
  }
}

void Handovers::SetAddresses(ShardConnections& state,
                             const std::vector<ResolvedAddress>& addresses) {
  state.addresses = addresses;
  state.ForEach([](UpstreamConnection& connection) { connection.OnAddressesChanged(); });
}

// --- Endings ---

void Handovers::Sweep() {
  std::vector<UpstreamConnection*> closed;
  for (auto& [name, states] : states_) {
    States left;
    for (std::unique_ptr<ShardConnections>& state : states) {
      if (CloseWhatIsDone(*state, closed)) {
        loop_.DeleteLater(std::move(state));
      } else {
        left.push_back(std::move(state));
      }
    }
    states = std::move(left);
  }
  absl::erase_if(states_, [](const auto& entry) { return entry.second.empty(); });
  LetGo(closed);
}

bool Handovers::CloseWhatIsDone(ShardConnections& state, std::vector<UpstreamConnection*>& closed) {
  bool all = state.leased.empty();
  const auto close = [&](std::unique_ptr<UpstreamConnection>& connection) {
    if (connection == nullptr) return;
    if (connection->pending() > 0) {
      all = false;
      return;
    }
    connection->Close(Failure::kRemoved);
    closed.push_back(connection.get());
    loop_.DeleteLater(std::move(connection));
  };
  std::ranges::for_each(state.idle, close);
  for (std::vector<Way>& ways : state.ways) {
    for (Way& way : ways) {
      std::ranges::for_each(way.set_aside, close);
      close(way.shared);
    }
  }
  return all;
}

void Handovers::LetGo(const std::vector<UpstreamConnection*>& closed) {
  for (UpstreamConnection* connection : closed) {
    const auto waited = waits_for_.find(connection);
    if (waited == waits_for_.end()) continue;
    if (const auto others = waiting_.find(waited->second); others != waiting_.end()) {
      std::erase(others->second, connection);
    }
    waits_for_.erase(waited);
  }
  for (const UpstreamConnection* connection : closed) {
    auto waiting = waiting_.extract(connection);
    if (waiting.empty()) continue;
    for (UpstreamConnection* after : waiting.mapped()) {
      waits_for_.erase(after);
      after->LetGo();
    }
  }
}

}  // namespace weir
