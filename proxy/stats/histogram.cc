#include "proxy/stats/histogram.h"

#include <algorithm>
#include <cmath>

namespace weir {

void HistogramTotal::Add(const Histogram& histogram) {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const uint64_t samples = histogram.bucket(i);
    buckets_[i] += samples;
    count_ += samples;
  }
  sum_ += histogram.sum();
}

void HistogramTotal::Add(const HistogramTotal& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
}

uint64_t HistogramTotal::Quantile(double quantile) const {
  if (count_ == 0) return 0;
  const double rank = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t wanted = std::clamp<uint64_t>(static_cast<uint64_t>(rank), 1, count_);
  uint64_t seen = 0;
  size_t bucket = 0;
  while (seen + buckets_[bucket] < wanted) seen += buckets_[bucket++];
  return HistogramScale::UpperBound(bucket);
}

uint64_t HistogramTotal::CountAtMost(uint64_t bound) const {
  uint64_t samples = 0;
  for (size_t i = 0; i < buckets_.size() && HistogramScale::UpperBound(i) <= bound; ++i) {
    samples += buckets_[i];
  }
  return samples;
}

}  // namespace weir
