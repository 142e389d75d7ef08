// Plan: the share of keys that changes its owner, for each pair of shards.
//
// Keys are weighted by the hashes that they can have, not by what is stored: 32 bits, each value
// equally likely, for one_at_a_time, md5, crc32a, the fnv's, murmur and jenkins; 15 bits for crc32.
// These are counted (PLAN_EXACT): every value of crc32; for ketama the arcs between the points of
// both rings; for modula one period of the least common multiple of both numbers of slots. The
// hashes of crc16 (shift history in the upper half) and hsieh (its last step skips every 65th
// value) are uneven, so their share is that among 1,000,000 keys (PLAN_ESTIMATED); so is that of a
// change of the key hash, and of counts that would take too long.
#pragma once

#include "controlplane/model/placement.h"
#include "proto/weir/v1/pool.pb.h"

namespace weir {

// A plan lists this many moves at most, the largest ones: modula and a new key hash exchange keys
// between all pairs of shards, and plans are kept with every request and version.
inline constexpr int kMostMoves = 200;

// Fills in moves, moved_fraction, method, estimated_because, shards_before and shards_after. Pure,
// and the same everywhere for the same arguments; takes milliseconds when counted, some tenths of a
// second when estimated.
//
// A ring that was empty gains keys without moving any. A ring that becomes empty loses all: they
// move to a shard with the empty name. Random to random is PLAN_NOT_APPLICABLE: no key has an
// owner. A change to or from random, of hash_tag, or of hash_char under a hash that heeds it, is
// estimated as if it concerned every key (hash_tag concerns those with a tag, hash_char those with
// bytes from 0x80 on).
v1::Plan PlanMoves(const Placement& before, const Placement& after);

}  // namespace weir
