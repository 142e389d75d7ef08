// distribution: modula. A live shard holds as many consecutive slots as it has weight, and a key
// lives in slot `hash mod slots` (twemproxy hashkit/nc_modula.c). Losing one shard moves most keys.
// Pure, callable from any thread. Behind ring.h; not for other users.
#pragma once

#include <span>
#include <vector>

#include "proxy/hashing/ring_shard.h"

namespace weir {

// One point for each live shard, at its last slot; the number of slots is the last value plus one.
// Slots from 2^32 on, which no hash can reach, are cut off.
std::vector<RingPoint> ModulaPoints(std::span<const RingShard> shards);

}  // namespace weir
