#include "controlplane/model/owner_runs.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir {
namespace {

std::vector<RingShard> Shards(std::vector<uint32_t> weights) {
  std::vector<RingShard> shards;
  for (uint32_t weight : weights) {
    shards.push_back({.ring_name = std::string(1, static_cast<char>('a' + shards.size())),
                      .weight = weight,
                      .live = true});
  }
  return shards;
}

TEST(OwnerRunsTest, EveryRunOfKetamaAgreesWithSelectAtBothEnds) {
  Ring ring = BuildRing(Distribution::kKetama, Shards({1, 2, 3}));
  OwnerRuns runs(ring, Distribution::kKetama);
  EXPECT_EQ(runs.period(), kHashSpace);
  for (uint64_t hash = 0; hash < kHashSpace;) {
    OwnerRuns::Run run = runs.At(hash);
    ASSERT_GT(run.end, hash);
    ASSERT_EQ(run.shard, ring.Select(static_cast<uint32_t>(hash)));
    ASSERT_EQ(run.shard, ring.Select(static_cast<uint32_t>(run.end - 1)));
    hash = run.end;
  }
}

TEST(OwnerRunsTest, ModulaRepeats) {
  Ring ring = BuildRing(Distribution::kModula, Shards({1, 2}));
  OwnerRuns runs(ring, Distribution::kModula);
  EXPECT_EQ(runs.period(), 3u);
  EXPECT_EQ(runs.runs_per_period(), 2u);
  for (uint64_t hash = 0; hash < 30; ++hash) {
    EXPECT_EQ(runs.At(hash).shard, ring.Select(static_cast<uint32_t>(hash))) << hash;
  }
  EXPECT_EQ(runs.At(31).end, 33u);
}

TEST(OwnerRunsTest, ModulaWithMoreSlotsThanHashesIsCutOff) {
  Ring ring = BuildRing(Distribution::kModula, Shards({2147483647, 2147483647, 2147483647}));
  OwnerRuns runs(ring, Distribution::kModula);
  EXPECT_EQ(runs.period(), kHashSpace);
  EXPECT_EQ(runs.At(kHashSpace - 1).end, kHashSpace);
  EXPECT_EQ(OwnerRuns(ring, Distribution::kModula).At(kHashSpace - 1).shard,
            ring.Select(0xffffffff));
}

TEST(OwnerRunsTest, AnEmptyRingHasNobodyEverywhere) {
  Ring ring;
  OwnerRuns runs(ring, Distribution::kKetama);
  EXPECT_EQ(runs.At(0).shard, OwnerRuns::kNobody);
  EXPECT_EQ(runs.At(0).end, kHashSpace);
}

}  // namespace
}  // namespace weir
