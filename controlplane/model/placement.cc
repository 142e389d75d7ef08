#include "controlplane/model/placement.h"

#include <algorithm>
#include <string>

namespace weir {

Placement PlacementOf(const v1::PoolPolicy& policy,
                      const google::protobuf::RepeatedPtrField<v1::Slot>& slots) {
  Placement placement;
  placement.hash = ParseKeyHash(policy.hash()).value_or(placement.hash);
  placement.distribution =
      ParseDistribution(policy.distribution()).value_or(placement.distribution);
  if (policy.hash_char() == "unsigned") placement.hash_char = CharSign::kUnsigned;
  const std::string& tag = policy.hash_tag();
  if (tag.size() == 2) placement.hash_tag = {.open = tag[0], .close = tag[1], .enabled = true};

  for (const v1::Slot& slot : slots) {
    if (slot.state() != v1::SLOT_ACTIVE) continue;
    placement.shards.push_back({.ring_name = slot.name(), .weight = slot.weight(), .live = true});
  }
  std::ranges::sort(placement.shards, SortsBefore, &RingShard::ring_name);
  return placement;
}

}  // namespace weir
