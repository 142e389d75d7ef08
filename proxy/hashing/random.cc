#include "proxy/hashing/random.h"

namespace weir {

std::vector<RingPoint> RandomPoints(std::span<const RingShard> shards) {
  std::vector<RingPoint> points;
  for (uint32_t i = 0; i < shards.size(); ++i) {
    if (!shards[i].live) continue;
    points.push_back({.value = static_cast<uint32_t>(points.size()), .shard = i});
  }
  return points;
}

}  // namespace weir
