#include "proxy/stats/histogram.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

using Scale = HistogramScale;

TEST(HistogramScaleTest, BucketsFollowEachOtherWithoutGapOrOverlap) {
  EXPECT_EQ(Scale::BucketOf(0), 0u);
  for (size_t bucket = 0; bucket + 1 < Scale::kBuckets; ++bucket) {
    const uint64_t last = Scale::UpperBound(bucket);
    ASSERT_EQ(Scale::BucketOf(last), bucket);
    ASSERT_EQ(Scale::BucketOf(last + 1), bucket + 1);
  }
  EXPECT_EQ(Scale::UpperBound(Scale::kBuckets - 1), (uint64_t{1} << 36) - 1);
}

TEST(HistogramScaleTest, ABucketIsAtMostASixteenthWide) {
  for (size_t bucket = 1; bucket < Scale::kBuckets; ++bucket) {
    const uint64_t first = Scale::UpperBound(bucket - 1) + 1;
    ASSERT_LE((Scale::UpperBound(bucket) - first) * 16, first) << bucket;
  }
}

TEST(HistogramScaleTest, WhatIsOffTheScaleFallsIntoTheLastBucket) {
  EXPECT_EQ(Scale::BucketOf(uint64_t{1} << 36), Scale::kBuckets - 1);
  EXPECT_EQ(Scale::BucketOf(std::numeric_limits<uint64_t>::max()), Scale::kBuckets - 1);
}

TEST(HistogramTest, QuantilesAreTheBoundOfTheBucketThatHoldsTheRank) {
  Histogram histogram;
  for (uint64_t i = 1; i <= 1000; ++i) histogram.Record(i);
  HistogramTotal total;
  total.Add(histogram);
  EXPECT_EQ(total.count(), 1000u);
  EXPECT_EQ(total.sum(), 500'500u);
  EXPECT_EQ(total.Quantile(0), 1u);
  EXPECT_EQ(total.Quantile(0.01), 10u);
  EXPECT_EQ(total.Quantile(0.5), 511u);   // bucket 496..511
  EXPECT_EQ(total.Quantile(0.99), 991u);  // bucket 960..991
  EXPECT_EQ(total.Quantile(1), 1023u);    // bucket 992..1023
}

TEST(HistogramTest, WithoutSamplesQuantilesAreZero) {
  EXPECT_EQ(HistogramTotal().Quantile(0.99), 0u);
  EXPECT_EQ(HistogramTotal().CountAtMost(100), 0u);
}

TEST(HistogramTest, CountAtMostIsCumulative) {
  Histogram histogram;
  for (const uint64_t value : {1u, 5u, 15u, 100u, 5000u}) histogram.Record(value);
  HistogramTotal total;
  total.Add(histogram);
  EXPECT_EQ(total.CountAtMost(0), 0u);
  EXPECT_EQ(total.CountAtMost(5), 2u);
  EXPECT_EQ(total.CountAtMost(103), 4u);  // 100 is in 100..103
  EXPECT_EQ(total.CountAtMost(102), 3u);
  EXPECT_EQ(total.CountAtMost(1'000'000), 5u);
}

TEST(HistogramTest, MergingWorkersEqualsRecordingInOne) {
  Histogram a, b, both;
  for (uint64_t value = 1; value < 1'000'000; value = value * 5 / 3 + 1) {
    (value % 2 == 0 ? a : b).Record(value);
    both.Record(value);
  }
  HistogramTotal merged, part, whole;
  merged.Add(a);
  part.Add(b);
  merged.Add(part);
  whole.Add(both);
  EXPECT_EQ(merged.count(), whole.count());
  EXPECT_EQ(merged.sum(), whole.sum());
  for (const double q : {0.1, 0.5, 0.9, 0.999}) EXPECT_EQ(merged.Quantile(q), whole.Quantile(q));
}

}  // namespace
}  // namespace weir
