// ShardSelector: which shard serves a key now. Hash tag → key hash → ring → target.
//
// One per worker and pool, owned by the pool's runtime there, used on the worker's thread. It reads
// an immutable PoolSnapshot and the ring that health last published; replacing either is one
// assignment between turns. Selecting never allocates and never fails.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/snapshot.h"

namespace weir {

// Where a fragment goes. A role comes with replicas and mirrors; over which kind of connection is
// the session's to say (docs/adr/0011).
struct Target {
  uint32_t shard = 0;  // index into PoolConfig::servers
};

class ShardSelector {
 public:
  // All shards live. `seed` feeds the distribution `random` only.
  ShardSelector(PoolSnapshotPtr pool, uint64_t seed);

  // `live` and `ring` as health published them: ejected shards keep their place in a pool that
  // fails fast, and have none in the ring of a pool that rehashes.
  void SetHealth(std::shared_ptr<const Ring> ring, std::vector<bool> live);

  // Serves another state of the pool from now on, with the health given; the shards' indexes are
  // those of `pool` then.
  void Update(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring, std::vector<bool> live);

  // Rises whenever a key may have come to another shard: what was selected before must be selected
  // again.
  uint64_t version() const { return version_; }

  // The shard of `key`. Also when it is ejected (see ejected()): then it is to fail at once.
  Target Select(std::string_view key) {
    if (ring_->single()) return {0};
    if (is_random_) return {ring_->Select(static_cast<uint32_t>(random_()))};
    std::string_view part = HashedPart(key, hash_tag_);
    return {ring_->Select(part.empty() ? 0 : key_hash_(part))};
  }

  // For what any shard can do: the first one that is not ejected; shard 0 when all are.
  Target Any() const {
    const auto live = std::ranges::find(live_, true);
    return {live == live_.end() ? 0 : static_cast<uint32_t>(live - live_.begin())};
  }

  bool ejected(uint32_t shard) const { return !live_[shard]; }
  uint32_t shard_count() const { return static_cast<uint32_t>(live_.size()); }

 private:
  PoolSnapshotPtr pool_;
  std::shared_ptr<const Ring> ring_;
  std::vector<bool> live_;
  KeyHashFunction key_hash_;
  HashTag hash_tag_;
  bool is_random_;
  std::minstd_rand random_;
  uint64_t version_ = 0;
};

}  // namespace weir
