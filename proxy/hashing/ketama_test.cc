#include "proxy/hashing/ketama.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace weir {
namespace {

std::vector<uint32_t> PointCounts(std::vector<uint32_t> weights) {
  uint64_t total = 0;
  for (uint32_t weight : weights) total += weight;
  std::vector<uint32_t> counts;
  for (uint32_t weight : weights) counts.push_back(KetamaPointCount(weight, total, weights.size()));
  return counts;
}

using Counts = std::vector<uint32_t>;

// The counts and values below were recorded from twemproxy 0.5.0.

TEST(KetamaTest, GivesPointsInProportionToWeights) {
  EXPECT_EQ(PointCounts({1}), (Counts{160}));
  EXPECT_EQ(PointCounts({1, 2, 3}), (Counts{80, 160, 240}));
  EXPECT_EQ(PointCounts({3, 3, 4}), (Counts{144, 144, 192}));
  EXPECT_EQ(PointCounts({5, 5, 10, 20}), (Counts{80, 80, 160, 320}));
}

TEST(KetamaTest, GivesNoPointsToAShardFarBelowTheAverageWeight) {
  EXPECT_EQ(PointCounts({100000, 1}), (Counts{316, 0}));
}

TEST(KetamaTest, RoundsEqualWeightsAsFloat32Does) {
  std::vector<size_t> with_156;
  for (size_t shards = 1; shards <= 1000; ++shards) {
    uint32_t count = KetamaPointCount(1, shards, shards);
    if (count == 156) {
      with_156.push_back(shards);
    } else {
      EXPECT_EQ(count, 160u) << shards;
    }
  }
  EXPECT_EQ(with_156.size(), 103u);
  with_156.resize(15);
  EXPECT_EQ(with_156, (std::vector<size_t>{25, 47, 50, 55, 61, 71, 94, 100, 107, 109, 110, 115, 122,
                                           142, 159}));
}

std::vector<RingShard> Shards(size_t count) {
  std::vector<RingShard> shards;
  for (size_t i = 0; i < count; ++i) shards.push_back({.ring_name = "server" + std::to_string(i)});
  std::ranges::sort(shards, SortsBefore, &RingShard::ring_name);
  return shards;
}

TEST(KetamaTest, PointsAreQuartersOfTheDigestOfNameAndNumber) {
  // Quarters 0 and 3 of md5("server1-8"); also in twitter/twemproxy src/test_all.c.
  const RingShard kShards[] = {{.ring_name = "server1"}};
  std::vector<RingPoint> points = KetamaPoints(kShards);
  ASSERT_EQ(points.size(), 160u);
  EXPECT_TRUE(std::ranges::count(points, RingPoint{3853726576u, 0}));
  EXPECT_TRUE(std::ranges::count(points, RingPoint{2667054752u, 0}));
}

TEST(KetamaTest, PointsAscendAndEqualOnesKeepTheOrderOfTheirShards) {
  size_t ties = 0;
  for (size_t count : {1, 2, 25, 400, 1000}) {
    std::vector<RingPoint> points = KetamaPoints(Shards(count));
    for (size_t i = 1; i < points.size(); ++i) {
      ASSERT_LE(points[i - 1].value, points[i].value);
      if (points[i - 1].value != points[i].value) continue;
      EXPECT_LE(points[i - 1].shard, points[i].shard);
      ++ties;
    }
  }
  EXPECT_GT(ties, 0u);
}

TEST(KetamaTest, ShardsThatAreNotLiveCountNowhere) {
  std::vector<RingShard> shards = {{.ring_name = "a", .weight = 1},
                                   {.ring_name = "b", .weight = 7, .live = false},
                                   {.ring_name = "c", .weight = 3}};
  const RingShard kLive[] = {shards[0], shards[2]};
  std::vector<RingPoint> expected = KetamaPoints(kLive);
  for (RingPoint& point : expected) point.shard *= 2;
  EXPECT_EQ(KetamaPoints(shards), expected);
}

TEST(KetamaTest, MovesOnlyTheKeysOfTheShardThatLeaves) {
  // 4 shards of equal weight get 160 points each, and so do 3: the remaining points stay in place.
  std::vector<RingShard> shards = Shards(4);
  std::vector<RingPoint> before = KetamaPoints(shards);
  shards[1].live = false;
  std::erase_if(before, [](const RingPoint& point) { return point.shard == 1; });
  EXPECT_EQ(KetamaPoints(shards), before);
}

TEST(KetamaTest, HashesLongNamesWhole) {
  std::string stem(100, 'x');
  const RingShard kOne[] = {{.ring_name = stem + "1"}};
  const RingShard kOther[] = {{.ring_name = stem + "2"}};
  EXPECT_NE(KetamaPoints(kOne), KetamaPoints(kOther));
}

}  // namespace
}  // namespace weir
