#include "controlplane/model/owner_runs.h"

#include <algorithm>

namespace weir {

OwnerRuns::OwnerRuns(const Ring& ring, Distribution distribution)
    : ring_(ring), circle_(distribution == Distribution::kKetama) {
  if (ring.empty()) return;
  period_ = circle_ ? kHashSpace : uint64_t{ring.points().back().value} + 1;
}

OwnerRuns::Run OwnerRuns::At(uint64_t hash) {
  if (ring_.empty()) return {.shard = kNobody, .end = kHashSpace};
  auto points = ring_.points();
  while (true) {
    while (point_ < points.size() && base_ + points[point_].value < hash) ++point_;
    if (point_ < points.size()) break;
    if (circle_) return {.shard = points.front().shard, .end = kHashSpace};
    base_ += period_;
    point_ = 0;
  }
  return {.shard = points[point_].shard,
          .end = std::min(kHashSpace, base_ + points[point_].value + 1)};
}

}  // namespace weir
