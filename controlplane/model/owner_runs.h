// A ring seen as a function of the hash: runs of consecutive hashes that have the same owner.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/hashing/ring.h"

namespace weir {

// How many values a hash can have.
inline constexpr uint64_t kHashSpace = uint64_t{1} << 32;

// Walks the runs of a ring upwards. Borrows the ring. A value for one walk; not shared between
// threads.
class OwnerRuns {
 public:
  struct Run {
    uint32_t shard = 0;  // index in the ring's shards; kNobody on an empty ring
    uint64_t end = 0;    // the first hash behind it; at most kHashSpace
  };

  static constexpr uint32_t kNobody = 0xffffffff;

  OwnerRuns(const Ring& ring, Distribution distribution);

  // The run that holds `hash`, up to its end. Calls must not go down. Agrees with Ring::Select.
  Run At(uint64_t hash);

  // After this many hashes the owners repeat, 1 to kHashSpace.
  uint64_t period() const { return period_; }
  // How many runs a period has; 0 on an empty ring.
  size_t runs_per_period() const { return ring_.points().size(); }

 private:
  const Ring& ring_;
  bool circle_;  // ketama: behind the last point the circle goes on with the first one
  uint64_t period_ = 1;
  uint64_t base_ = 0;  // where the period that is walked began
  size_t point_ = 0;   // the point of the last run in it
};

}  // namespace weir
