// Latencies in log-linear buckets, after HdrHistogram (G. Tene): 128 equal buckets for each power
// of two, so a percentile is off by less than 1/128 of itself, whatever its size. Recording is a
// few instructions and never allocates. Owned and used by one thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace weir::benchmark {

class Histogram {
 public:
  // `value` in any one unit (the benchmark records nanoseconds); larger than 2^40 counts as 2^40.
  void Record(uint64_t value) {
    value = std::min(value, kMaxValue);
    ++counts_[BucketOf(value)];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / count_; }

  // The smallest recorded value that `percent` (0 to 100] of all values do not exceed, rounded up
  // to the end of its bucket; 0 when nothing was recorded.
  uint64_t Percentile(double percent) const {
    uint64_t wanted =
        static_cast<uint64_t>(std::llround(percent / 100 * static_cast<double>(count_)));
    wanted = std::clamp<uint64_t>(wanted, 1, std::max<uint64_t>(count_, 1));
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted) return std::min(EndOf(bucket), max_);
    }
    return 0;
  }

  void Reset() { *this = Histogram(); }

 private:
  static constexpr int kPrecisionBits = 7;
  static constexpr uint64_t kPerPower = 1u << kPrecisionBits;
  static constexpr int kMaxBits = 40;
  static constexpr uint64_t kMaxValue = uint64_t{1} << kMaxBits;
  static constexpr size_t kBuckets = (kMaxBits - kPrecisionBits + 2) * kPerPower;

  // Values below kPerPower have a bucket each; above, the top kPrecisionBits below the leading bit
  // choose the bucket within its power of two.
  static size_t BucketOf(uint64_t value) {
    if (value < kPerPower) return value;
    int power = std::bit_width(value) - 1 - kPrecisionBits;
    return static_cast<size_t>(power) * kPerPower + (value >> power);
  }
  static uint64_t EndOf(size_t bucket) {
    if (bucket < kPerPower) return bucket;
    uint64_t power = bucket / kPerPower - 1;
    return ((bucket - power * kPerPower + 1) << power) - 1;
  }

  std::array<uint64_t, kBuckets> counts_ = {};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace weir::benchmark
