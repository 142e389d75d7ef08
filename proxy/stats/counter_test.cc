#include "proxy/stats/counter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace weir {
namespace {

TEST(CounterTest, ReadersSeeTheWritersCountRiseWhileItRuns) {
  constexpr uint64_t kTotal = 200'000;
  Counter counter;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kTotal; ++i) counter.Add();
  });
  uint64_t last = 0;
  while (last < kTotal) {
    const uint64_t seen = counter.Get();
    ASSERT_GE(seen, last);
    last = seen;
  }
  writer.join();
  EXPECT_EQ(counter.Get(), kTotal);
}

TEST(CounterTest, AGaugeGoesUpAndDown) {
  Gauge gauge;
  gauge.Add(5);
  gauge.Subtract();
  EXPECT_EQ(gauge.Get(), 4);
  gauge.Set(-2);
  EXPECT_EQ(gauge.Get(), -2);
}

TEST(CounterTest, WritersAreAddedUpButOfTimestampsTheLatestCounts) {
  EXPECT_EQ(MergeStat(StatKind::kCounter, 3, 4), 7u);
  EXPECT_EQ(MergeStat(StatKind::kTimestamp, 3, 4), 4u);
  EXPECT_EQ(MergeStat(StatKind::kTimestamp, 4, 0), 4u);
  // A gauge may be below zero for one writer: the sum is still right.
  EXPECT_EQ(MergeStat(StatKind::kGauge, 3, static_cast<uint64_t>(int64_t{-2})), 1u);
}

}  // namespace
}  // namespace weir
