#include "proxy/hashing/ring.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "proxy/hashing/ketama.h"
#include "proxy/hashing/modula.h"
#include "proxy/hashing/random.h"

namespace weir {
namespace {

constexpr uint32_t kLastHash = std::numeric_limits<uint32_t>::max();

// In the order of the enum.
constexpr std::array<std::string_view, 3> kNames = {"ketama", "modula", "random"};

std::vector<RingPoint> PointsOf(Distribution distribution, std::span<const RingShard> shards) {
  switch (distribution) {
    case Distribution::kKetama:
      return KetamaPoints(shards);
    case Distribution::kModula:
      return ModulaPoints(shards);
    case Distribution::kRandom:
      return RandomPoints(shards);
  }
  return {};
}

// How far to shift a hash of at most `last_hash` so that there are at least as many buckets as
// points. At most 31, which needs two buckets or more.
int BucketShift(uint32_t last_hash, size_t points) {
  int bucket_bits = std::max(1, static_cast<int>(std::bit_width(points)));
  return std::max(0, static_cast<int>(std::bit_width(last_hash)) - bucket_bits);
}

}  // namespace

std::optional<Distribution> ParseDistribution(std::string_view name) {
  auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Distribution>(found - kNames.begin());
}

std::string_view DistributionName(Distribution distribution) {
  return kNames[static_cast<size_t>(distribution)];
}

std::span<const std::string_view> DistributionNames() { return kNames; }

Ring::Ring() : Ring({}, 0, 0) {}

Ring::Ring(std::vector<RingPoint> points, uint32_t slots, size_t shard_count)
    : points_(std::move(points)), slots_(slots), shard_count_(shard_count) {
  const uint32_t last_hash = slots_ == 0 ? kLastHash : slots_ - 1;
  bucket_shift_ = BucketShift(last_hash, points_.size());
  points_.push_back({.value = kLastHash, .shard = points_.empty() ? 0 : points_.front().shard});
  points_.shrink_to_fit();

  buckets_.resize((static_cast<size_t>(last_hash) >> bucket_shift_) + 1);
  uint32_t point = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    while (points_[point].value < static_cast<uint32_t>(bucket << bucket_shift_)) ++point;
    buckets_[bucket] = point;
  }
}

Ring BuildRing(Distribution distribution, std::span<const RingShard> shards) {
  DCHECK(std::ranges::is_sorted(shards, SortsBefore, &RingShard::ring_name));
  std::vector<RingPoint> points = PointsOf(distribution, shards);
  uint32_t slots = 0;
  // One more than the last slot; when that is 2^32 it wraps to 0, which means just that.
  if (distribution != Distribution::kKetama && !points.empty()) slots = points.back().value + 1;
  return Ring(std::move(points), slots, shards.size());
}

}  // namespace weir
