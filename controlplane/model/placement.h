// Placement: all of a pool that decides which shard owns a key.
#pragma once

#include <vector>

#include "google/protobuf/repeated_field.h"
#include "proto/weir/v1/pool.pb.h"
#include "proxy/hashing/hash_tag.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"

namespace weir {

struct Placement {
  KeyHash hash = kDefaultKeyHash;
  CharSign hash_char = CharSign::kSigned;
  HashTag hash_tag;
  Distribution distribution = Distribution::kKetama;
  // The shards on the ring, in the order of SortsBefore().
  std::vector<RingShard> shards;
};

// Placement under `policy` with those of `slots` that are on the ring, which are the active ones.
// What the policy leaves open, or spells in a way that no reader accepts, has its default. Pure.
Placement PlacementOf(const v1::PoolPolicy& policy,
                      const google::protobuf::RepeatedPtrField<v1::Slot>& slots);

}  // namespace weir
