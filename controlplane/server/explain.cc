#include "controlplane/server/explain.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "controlplane/model/merge.h"
#include "controlplane/model/placement.h"
#include "controlplane/server/error_details.h"
#include "proxy/base/strings.h"
#include "proxy/hashing/hash_tag.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"

namespace weir {
namespace {

constexpr int kMaxProposedSlots = 10'000;

// The value of the ring's point that owns `hash`.
uint32_t RingPointOf(const Ring& ring, Distribution distribution, uint32_t hash) {
  const auto points = ring.points();
  if (distribution == Distribution::kModula) return hash % (points.back().value + 1);
  const auto point = std::ranges::lower_bound(points, hash, {}, &RingPoint::value);
  return point == points.end() ? points.front().value : point->value;
}

void DescribeShard(const PoolState& pool, const std::string& shard, v1::KeyPlace& place) {
  place.set_shard(shard);
  const v1::Slot* slot = FindSlot(pool.record().shard_map().slots(), shard);
  if (slot == nullptr) return;  // a proposed one that does not exist yet
  place.set_endpoint(slot->endpoint());
  place.set_state(slot->state());
  for (const v1::SlotEndpoints& endpoints : pool.resources.endpoints.endpoints().slots()) {
    if (endpoints.slot() == shard) *place.mutable_addresses() = endpoints.addresses();
  }
}

std::optional<v1::KeyPlace> PlaceOf(const PoolState& pool, const Placement& placement,
                                    uint32_t hash) {
  const Ring ring = BuildRing(placement.distribution, placement.shards);
  if (ring.empty()) return std::nullopt;
  v1::KeyPlace place;
  place.set_ring_point(RingPointOf(ring, placement.distribution, hash));
  DescribeShard(pool, placement.shards[ring.Select(hash)].ring_name, place);
  return place;
}

absl::StatusOr<std::vector<RingShard>> ReadProposed(const v1::ExplainKeyRequest& request) {
  if (request.proposed_slots_size() > kMaxProposedSlots) {
    return InvalidField("proposed_slots", StrCat("expected at most ", kMaxProposedSlots));
  }
  std::vector<RingShard> shards;
  std::set<std::string> names;
  for (int i = 0; i < request.proposed_slots_size(); ++i) {
    const v1::RingSlot& slot = request.proposed_slots(i);
    const std::string field = StrCat("proposed_slots[", i, "]");
    if (slot.name().empty() || !names.insert(slot.name()).second) {
      return InvalidField(StrCat(field, ".name"), "expected a name that no other slot has");
    }
    if (slot.weight() > INT32_MAX) {
      return InvalidField(StrCat(field, ".weight"), "expected 1 to 2147483647");
    }
    shards.push_back(
        {.ring_name = slot.name(), .weight = std::max(slot.weight(), 1U), .live = true});
  }
  std::ranges::sort(shards, SortsBefore, &RingShard::ring_name);
  return shards;
}

}  // namespace

absl::StatusOr<v1::ExplainKeyResponse> ExplainKey(const PoolState& pool,
                                                  const v1::ExplainKeyRequest& request) {
  Placement placement =
      PlacementOf(pool.record().spec().policy(), pool.record().shard_map().slots());
  if (placement.distribution == Distribution::kRandom) {
    return absl::FailedPreconditionError(
        "with distribution random each request goes to any shard: no key has a place");
  }
  const std::string_view hashed = HashedPart(request.key(), placement.hash_tag);
  v1::ExplainKeyResponse response;
  response.set_hash_input(absl::CEscape(ToAbsl(hashed)));
  response.set_hash(HashKey(placement.hash, hashed, placement.hash_char));
  const auto now = PlaceOf(pool, placement, response.hash());
  if (now) *response.mutable_now() = *now;
  if (request.proposed_slots().empty()) return response;

  absl::StatusOr<std::vector<RingShard>> proposed = ReadProposed(request);
  if (!proposed.ok()) return proposed.status();
  placement.shards = *std::move(proposed);
  const auto then = PlaceOf(pool, placement, response.hash());
  if (then) *response.mutable_proposed() = *then;
  return response;
}

}  // namespace weir
