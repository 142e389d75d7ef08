#include "proxy/hashing/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr Distribution kAll[] = {Distribution::kKetama, Distribution::kModula,
                                 Distribution::kRandom};

std::vector<RingShard> Shards(std::vector<uint32_t> weights) {
  std::vector<RingShard> shards;
  for (size_t i = 0; i < weights.size(); ++i) {
    shards.push_back({.ring_name = StrCat("shard-", i), .weight = weights[i]});
  }
  std::ranges::sort(shards, SortsBefore, &RingShard::ring_name);
  return shards;
}

std::vector<uint32_t> Selected(const Ring& ring, uint32_t hashes) {
  std::vector<uint32_t> shards;
  for (uint32_t hash = 0; hash < hashes; ++hash) shards.push_back(ring.Select(hash));
  return shards;
}

using Indexes = std::vector<uint32_t>;

TEST(RingTest, ShardsSortByLengthBeforeBytes) {
  std::vector<std::string> names = {"10.0.0.10:1", "b", "10.0.0.9:1", "a", "10.0.0.11:1", "B"};
  std::ranges::sort(names, SortsBefore);
  EXPECT_EQ(names,
            (std::vector<std::string>{"B", "a", "b", "10.0.0.9:1", "10.0.0.10:1", "10.0.0.11:1"}));
  EXPECT_FALSE(SortsBefore("a", "a"));
  EXPECT_TRUE(SortsBefore("a", "\xff"));
}

TEST(RingTest, KetamaSelectsTheFirstPointAtOrAboveTheHash) {
  // Checked against a plain search, at every point, beside it, and at random hashes.
  std::mt19937 random(1);
  for (size_t count : {1, 2, 3, 25, 400}) {
    Ring ring = BuildRing(Distribution::kKetama, Shards(std::vector<uint32_t>(count, 1)));
    auto searched = [&](uint32_t hash) {
      auto point = std::ranges::lower_bound(ring.points(), hash, {}, &RingPoint::value);
      return point == ring.points().end() ? ring.points().front().shard : point->shard;
    };
    std::vector<uint32_t> hashes = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (const RingPoint& point : ring.points()) {
      hashes.insert(hashes.end(), {point.value - 1, point.value, point.value + 1});
    }
    for (int i = 0; i < 20000; ++i) hashes.push_back(static_cast<uint32_t>(random()));
    for (uint32_t hash : hashes) ASSERT_EQ(ring.Select(hash), searched(hash)) << hash;
  }
}

TEST(RingTest, KetamaWrapsToTheFirstPoint) {
  Ring ring = BuildRing(Distribution::kKetama, Shards({1, 1, 1}));
  ASSERT_LT(ring.points().back().value, 0xffffffffu);
  EXPECT_EQ(ring.Select(0xffffffff), ring.points().front().shard);
  EXPECT_EQ(ring.Select(0), ring.points().front().shard);
}

TEST(RingTest, ModulaRepeatsAShardAsOftenAsItsWeight) {
  Ring ring = BuildRing(Distribution::kModula, Shards({1, 3, 2}));
  EXPECT_EQ(Selected(ring, 8), (Indexes{0, 1, 1, 1, 2, 2, 0, 1}));
  EXPECT_EQ(ring.Select(0xffffffff), Indexes({0, 1, 1, 1, 2, 2})[0xffffffffu % 6]);
}

TEST(RingTest, ModulaLeavesOutShardsThatAreNotLive) {
  std::vector<RingShard> shards = Shards({1, 3, 2});
  shards[1].live = false;
  EXPECT_EQ(Selected(BuildRing(Distribution::kModula, shards), 4), (Indexes{0, 2, 2, 0}));
}

TEST(RingTest, ModulaTakesWeightsOfAnySize) {
  Ring ring = BuildRing(Distribution::kModula, Shards({1, 1000000000, 5}));
  EXPECT_EQ(ring.Select(0), 0u);
  EXPECT_EQ(ring.Select(1), 1u);
  EXPECT_EQ(ring.Select(1000000000), 1u);
  EXPECT_EQ(ring.Select(1000000001), 2u);
  EXPECT_EQ(ring.Select(1000000006), 0u);
  // More slots than hashes: the ones behind are out of reach.
  Ring huge = BuildRing(Distribution::kModula, Shards({0xffffffff, 2, 7}));
  EXPECT_EQ(huge.Select(0xfffffffe), 0u);
  EXPECT_EQ(huge.Select(0xffffffff), 1u);
  EXPECT_EQ(huge.points().size(), 2u);
}

TEST(RingTest, RandomSelectsEveryLiveShardAlikeWhateverItsWeight) {
  std::vector<RingShard> shards = Shards({100, 1, 1, 7});
  shards[2].live = false;
  EXPECT_EQ(Selected(BuildRing(Distribution::kRandom, shards), 6), (Indexes{0, 1, 3, 0, 1, 3}));
}

TEST(RingTest, IsEmptyWhenNoShardIsLive) {
  EXPECT_TRUE(Ring().empty());
  std::vector<RingShard> shards = Shards({1, 1});
  for (RingShard& shard : shards) shard.live = false;
  for (Distribution distribution : kAll) {
    EXPECT_TRUE(BuildRing(distribution, {}).empty());
    EXPECT_TRUE(BuildRing(distribution, shards).empty());
    EXPECT_TRUE(BuildRing(distribution, shards).points().empty());
    EXPECT_FALSE(BuildRing(distribution, Shards({1})).empty());
  }
}

TEST(RingTest, IsSingleWhenThePoolHasOneShard) {
  std::vector<RingShard> one_live = Shards({1, 1});
  one_live[0].live = false;
  for (Distribution distribution : kAll) {
    Ring ring = BuildRing(distribution, Shards({7}));
    EXPECT_TRUE(ring.single());
    for (uint32_t hash : {0u, 1u, 0x80000000u, 0xffffffffu}) EXPECT_EQ(ring.Select(hash), 0u);
    EXPECT_FALSE(BuildRing(distribution, one_live).single());
    EXPECT_EQ(BuildRing(distribution, one_live).shard_count(), 2u);
    EXPECT_EQ(BuildRing(distribution, one_live).Select(12345), 1u);
  }
}

TEST(RingTest, CopiesSelectTheSame) {
  Ring ring = BuildRing(Distribution::kKetama, Shards({1, 2, 3}));
  Ring copy = ring;
  Ring moved = std::move(ring);
  for (uint32_t hash = 0; hash < 0xff000000; hash += 0x00654321) {
    EXPECT_EQ(copy.Select(hash), moved.Select(hash));
  }
}

TEST(RingTest, KetamaSpreadsHashesRoughlyByWeight) {
  Ring ring = BuildRing(Distribution::kKetama, Shards({1, 1, 2, 4}));
  std::map<uint32_t, int> keys;
  std::mt19937 random(1);
  for (int i = 0; i < 80000; ++i) ++keys[ring.Select(static_cast<uint32_t>(random()))];
  const int kExpected[] = {10000, 10000, 20000, 40000};
  for (uint32_t shard = 0; shard < 4; ++shard) {
    EXPECT_NEAR(keys[shard], kExpected[shard], kExpected[shard] * 0.35) << shard;
  }
}

TEST(RingTest, DistributionNamesAreThoseOfTheConfiguration) {
  for (std::string_view name : DistributionNames()) {
    EXPECT_EQ(DistributionName(ParseDistribution(name).value()), name);
  }
  EXPECT_EQ(ParseDistribution("ketama"), Distribution::kKetama);
  EXPECT_EQ(ParseDistribution("modula"), Distribution::kModula);
  EXPECT_EQ(ParseDistribution("random"), Distribution::kRandom);
  EXPECT_EQ(ParseDistribution("Ketama"), std::nullopt);
}

}  // namespace
}  // namespace weir
