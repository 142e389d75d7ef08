#include "proxy/upstream/shard_connections.h"

namespace weir {

std::optional<ConnectionSlot> ShardConnections::SlotOf(const UpstreamConnection& connection) const {
  const auto is_it = [&](const auto& other) { return other.get() == &connection; };
  const auto way = std::ranges::find_if(WaysOf(connection.variant()), [&](const Way& candidate) {
    return is_it(candidate.shared) || std::ranges::any_of(candidate.set_aside, is_it);
  });
  if (way == WaysOf(connection.variant()).end()) return std::nullopt;
  return ConnectionSlot{static_cast<uint32_t>(way - WaysOf(connection.variant()).begin())};
}

}  // namespace weir
