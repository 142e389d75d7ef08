// Ring: which shard of a pool owns a hash. An immutable value, built once per change of the pool or
// of its shards' health, then looked up for every request.
//
// Building is a pure function of names, weights and liveness; placement is that of twemproxy 0.5.0
// (twemproxy hashkit/), point for point. A const Ring may be read by any number of threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/hashing/ring_shard.h"

namespace weir {

enum class Distribution : uint8_t { kKetama, kModula, kRandom };

// Spelling of the configuration; nothing when no distribution has that name.
std::optional<Distribution> ParseDistribution(std::string_view name);
std::string_view DistributionName(Distribution distribution);
std::span<const std::string_view> DistributionNames();

class Ring {
 public:
  // The ring of no shards: empty().
  Ring();

  // The index, in the span given to BuildRing, of the shard that owns `hash`. For kRandom `hash` is
  // a random number. Never allocates; one division for modula and random, none for ketama, then a
  // look into the bucket index and on average less than one step. REQUIRES: !empty().
  uint32_t Select(uint32_t hash) const {
    DCHECK(!empty());
    if (slots_ != 0) hash %= slots_;
    const RingPoint* point = points_.data() + buckets_[hash >> bucket_shift_];
    while (point->value < hash) ++point;
    return point->shard;
  }

  // No shard is live: no key has a place.
  bool empty() const { return points_.size() == 1; }

  // The pool has one shard, live or not: callers need not hash, any number selects it.
  bool single() const { return shard_count_ == 1; }

  // How many shards the pool has, live or not.
  size_t shard_count() const { return shard_count_; }

  // All points by ascending value; for ketama on a circle of 2^32, for the others see modula.h and
  // random.h. Lives as long as the ring.
  std::span<const RingPoint> points() const { return {points_.data(), points_.size() - 1}; }

 private:
  friend Ring BuildRing(Distribution distribution, std::span<const RingShard> shards);

  // `points` by ascending value. `slots`: hashes are taken modulo it; 0 means 2^32.
  Ring(std::vector<RingPoint> points, uint32_t slots, size_t shard_count);

  // The points, and behind them a sentinel at 2^32 - 1 with the shard of the first point: it ends
  // every search and wraps the circle.
  std::vector<RingPoint> points_;
  // For every value of the top bits of a hash, the first point at or above their lowest hash.
  std::vector<uint32_t> buckets_;
  int bucket_shift_ = 0;
  uint32_t slots_ = 0;
  size_t shard_count_ = 0;
};

// The ring of the live ones among `shards`, which are all shards of the pool in the order of
// SortsBefore(): modula, and ties between points, depend on that order.
Ring BuildRing(Distribution distribution, std::span<const RingShard> shards);

}  // namespace weir
