// Log-linear histograms of latencies: fixed memory, one store per sample, mergeable without loss.
//
// Values below 16 have a bucket each; above, every power of two is cut into 16 equal buckets, so
// that a bucket's bounds differ by at most 1/16 of its value (as in HdrHistogram, with four
// significant bits). The unit is the caller's; latencies are in microseconds, for which 2^36 (19
// hours) is the end of the scale: what is larger falls into the last bucket.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "proxy/stats/counter.h"

namespace weir {

// The scale: which bucket a value belongs to, and what a bucket holds. Pure.
struct HistogramScale {
  static constexpr int kSubBits = 4;
  static constexpr int kMaxBits = 36;
  static constexpr uint64_t kSub = uint64_t{1} << kSubBits;
  static constexpr size_t kBuckets = (kMaxBits - kSubBits + 1) * kSub;

  static constexpr size_t BucketOf(uint64_t value) {
    if (value < kSub) return value;
    if (value >= (uint64_t{1} << kMaxBits)) return kBuckets - 1;
    const int shift = std::bit_width(value) - 1 - kSubBits;
    return static_cast<size_t>(shift) * kSub + (value >> shift);
  }
  // The largest value of a bucket; the bounds are inclusive.
  static constexpr uint64_t UpperBound(size_t bucket) {
    if (bucket < kSub) return bucket;
    const size_t shift = bucket / kSub - 1;
    return ((bucket % kSub + kSub + 1) << shift) - 1;
  }
};

// Written by one thread, read by any (see counter.h). 4.2 KiB.
class Histogram {
 public:
  void Record(uint64_t value) {
    buckets_[HistogramScale::BucketOf(value)].Add();
    sum_.Add(value);
  }
  uint64_t bucket(size_t i) const { return buckets_[i].Get(); }
  uint64_t sum() const { return sum_.Get(); }

 private:
  std::array<Counter, HistogramScale::kBuckets> buckets_;
  Counter sum_;
};

// The sum of any number of histograms; a plain value of one thread. Samples recorded while Add runs
// may be in the sum and not yet in a bucket, or the other way round; the count is always that of
// the buckets.
class HistogramTotal {
 public:
  void Add(const Histogram& histogram);
  void Add(const HistogramTotal& other);

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  // Smallest bucket bound that at least `quantile` (0..1) of the samples do not exceed; 0 without
  // samples.
  uint64_t Quantile(double quantile) const;
  // Samples in the buckets that lie wholly at or below `bound`: exact when `bound` is a bucket's
  // UpperBound, else those of the bucket that `bound` cuts are left out.
  uint64_t CountAtMost(uint64_t bound) const;

 private:
  std::array<uint64_t, HistogramScale::kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
};

}  // namespace weir
