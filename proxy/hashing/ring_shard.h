// What a ring is made of and what it is made from. Plain values, pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// A shard as far as placement is concerned.
struct RingShard {
  std::string ring_name;  // see ring_name.h; unique within the pool
  uint32_t weight = 1;    // at least 1
  bool live = true;       // false while ejected: keeps its index, gets no keys
};

// One entry on a ring: shard `shard` (index into the pool) owns the hashes from just above the
// previous point's value up to and including `value`.
struct RingPoint {
  uint32_t value = 0;
  uint32_t shard = 0;

  friend bool operator==(const RingPoint&, const RingPoint&) = default;
};

// The order in which the shards of a pool get their indexes (and pools their place in the stats):
// shorter names first, then bytes. Not the order of the file.
inline bool SortsBefore(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace weir
