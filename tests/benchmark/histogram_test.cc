#include "tests/benchmark/histogram.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace weir::benchmark {
namespace {

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Percentile(50), 50u);
  EXPECT_EQ(histogram.Percentile(99), 99u);
  EXPECT_EQ(histogram.Percentile(100), 100u);
  EXPECT_EQ(histogram.count(), 100u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(HistogramTest, AnEmptyHistogramIsAllZero) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(99), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(HistogramTest, PercentilesStayWithinOnePartIn128OfTheSortedValues) {
  std::mt19937_64 random(7);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(random() >> (25 + random() % 39));  // every magnitude up to 2^39
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    uint64_t exact = values[static_cast<size_t>(percent / 100 * values.size() + 0.5) - 1];
    EXPECT_GE(histogram.Percentile(percent), exact) << percent;
    EXPECT_LE(histogram.Percentile(percent), exact + exact / 128) << percent;
  }
  EXPECT_EQ(histogram.Percentile(100), values.back());
}

TEST(HistogramTest, HugeValuesCountAsTheLargest) {
  Histogram histogram;
  histogram.Record(~uint64_t{0});
  EXPECT_EQ(histogram.Percentile(50), uint64_t{1} << 40);
  histogram.Reset();
  EXPECT_EQ(histogram.count(), 0u);
}

}  // namespace
}  // namespace weir::benchmark
