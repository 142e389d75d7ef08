#include "proxy/hashing/ketama.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <string>

#include "proxy/hashing/little_endian.h"
#include "proxy/hashing/md5.h"

#if defined(__FAST_MATH__)
#error "placement depends on exact float32 arithmetic: build without -ffast-math"
#endif
static_assert(FLT_EVAL_METHOD == 0, "placement depends on exact float32 arithmetic");

namespace weir {
namespace {

constexpr float kPointsPerShard = 160;
constexpr uint32_t kPointsPerDigest = 4;

void AppendPoints(const std::string& ring_name, uint32_t count, uint32_t shard,
                  std::vector<RingPoint>& points) {
  std::string label = ring_name + "-";
  const size_t stem = label.size();
  for (uint32_t i = 0; i < count / kPointsPerDigest; ++i) {
    label.resize(stem);
    label += std::to_string(i);
    Md5Digest digest = Md5(label);
    for (uint32_t x = 0; x < kPointsPerDigest; ++x) {
      points.push_back({.value = LoadLittleEndian32(digest.data() + 4 * x), .shard = shard});
    }
  }
}

}  // namespace

uint32_t KetamaPointCount(uint32_t weight, uint64_t total_live_weight, size_t live_shards) {
  // Every step is rounded to float32, in this order; only the sum with 1e-10 is made in double.
  float share = static_cast<float>(weight) / static_cast<float>(total_live_weight);
  float digests = share * kPointsPerShard;
  digests = digests / static_cast<float>(kPointsPerDigest);
  digests = digests * static_cast<float>(live_shards);
  digests = static_cast<float>(static_cast<double>(digests) + 0.0000000001);
  return static_cast<uint32_t>(std::floor(digests) * static_cast<float>(kPointsPerDigest));
}

std::vector<RingPoint> KetamaPoints(std::span<const RingShard> shards) {
  uint64_t total_weight = 0;
  size_t live = 0;
  for (const RingShard& shard : shards) {
    if (!shard.live) continue;
    total_weight += shard.weight;
    ++live;
  }
  std::vector<RingPoint> points;
  points.reserve(live * static_cast<size_t>(kPointsPerShard));
  for (uint32_t i = 0; i < shards.size(); ++i) {
    if (!shards[i].live) continue;
    uint32_t count = KetamaPointCount(shards[i].weight, total_weight, live);
    AppendPoints(shards[i].ring_name, count, i, points);
  }
  // Stable, because equal values are common (in about 38 % of rings of 400 shards).
  std::ranges::stable_sort(points, {}, &RingPoint::value);
  return points;
}

}  // namespace weir
