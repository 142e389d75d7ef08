// distribution: random. Any live shard, each equally likely, whatever its weight and the key
// (twemproxy hashkit/nc_random.c). Whoever asks brings the random number in place of a hash.
// Pure, callable from any thread. Behind ring.h; not for other users.
#pragma once

#include <span>
#include <vector>

#include "proxy/hashing/ring_shard.h"

namespace weir {

// One point for each live shard, at 0, 1, 2, …
std::vector<RingPoint> RandomPoints(std::span<const RingShard> shards);

}  // namespace weir
