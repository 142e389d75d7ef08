#include "proxy/hashing/modula.h"

#include <algorithm>
#include <limits>

namespace weir {

std::vector<RingPoint> ModulaPoints(std::span<const RingShard> shards) {
  constexpr uint64_t kLastSlot = std::numeric_limits<uint32_t>::max();
  std::vector<RingPoint> points;
  uint64_t slots = 0;
  for (uint32_t i = 0; i < shards.size() && slots <= kLastSlot; ++i) {
    if (!shards[i].live || shards[i].weight == 0) continue;
    slots += shards[i].weight;
    points.push_back({.value = static_cast<uint32_t>(std::min(slots - 1, kLastSlot)), .shard = i});
  }
  return points;
}

}  // namespace weir
