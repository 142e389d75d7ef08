// distribution: ketama. Consistent hashing with about 160 points for each shard of average weight.
//
// The algorithm is that of libketama (Richard Jones, last.fm, 2007) in the form of libmemcached and
// twemproxy (hashkit/nc_ketama.c), whose float32 rounding decides the number of points.
// Pure functions, callable from any thread. Behind ring.h; not for other users.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "proxy/hashing/ring_shard.h"

namespace weir {

// How many points a live shard gets. A multiple of four; 0 for a shard far below the average
// weight. With equal weights 160, save for the shard counts (25, 47, 50, …) where float32 makes it
// 156.
uint32_t KetamaPointCount(uint32_t weight, uint64_t total_live_weight, size_t live_shards);

// The points of the live shards by ascending value; equal values keep the shards' order.
//
// A point is four bytes of md5("<ring name>-<i>"). twemproxy formats that into 86 bytes and, for
// longer ring names, hashes whatever lies behind them; such names have no placement to be
// compatible with, and are hashed whole here.
std::vector<RingPoint> KetamaPoints(std::span<const RingShard> shards);

}  // namespace weir
