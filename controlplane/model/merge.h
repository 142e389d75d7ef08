// Three-way merge: what the author of a declaration changed, applied to the shards in force; and
// the difference that stays, the drift.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "google/protobuf/repeated_field.h"
#include "proto/weir/v1/pool.pb.h"

namespace weir {

using ShardSpecs = google::protobuf::RepeatedPtrField<v1::ShardSpec>;
using Slots = google::protobuf::RepeatedPtrField<v1::Slot>;

// The part of the ring that `shard` asks for: at least 1.
inline uint32_t WeightOf(const v1::ShardSpec& shard) {
  return shard.weight() == 0 ? 1 : shard.weight();
}

// The first name that occurs twice; empty when there is none.
std::string DuplicateName(const ShardSpecs& shards);

// Null when there is no slot of that name.
const v1::Slot* FindSlot(const Slots& slots, const std::string& name);
v1::Slot* FindSlot(Slots& slots, const std::string& name);

// For many look-ups in one list, which it borrows.
using SlotsByName = absl::flat_hash_map<std::string_view, const v1::Slot*>;
SlotsByName IndexByName(const Slots& slots);

// Whether there was one.
bool EraseSlot(Slots& slots, const std::string& name);

void SortByName(Slots& slots);

// The slots after the declaration went from `merged` (the one merged last) to `declared`, sorted by
// name. The order of neither list matters. Per shard:
// - new in the declaration: on the ring; where the slot was added live already, it takes the
//   declared weight and endpoint and belongs to the declaration from then on;
// - gone from the declaration: gone, whatever became of it live;
// - weight or endpoint changed: applied over what was set live; where the shard was removed live it
//   stays removed;
// - unchanged: as it is in force, also when it was removed live.
// Everything else that is in force stays. Pure. REQUIRES: no duplicate names in any list.
Slots MergeServers(const ShardSpecs& merged, const ShardSpecs& declared, const Slots& in_force);

// How the slots in force differ from the declaration, a line each, sorted by shard; empty when they
// do not. Slots of a StatefulSet and those that never served are no difference.
std::vector<std::string> Drift(const ShardSpecs& declared, const Slots& in_force);

}  // namespace weir
