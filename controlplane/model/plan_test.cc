#include "controlplane/model/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/model/key_sample.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

struct Weighted {
  std::string name;
  uint32_t weight = 1;
};

Placement Place(std::vector<Weighted> shards, Distribution distribution = Distribution::kKetama,
                KeyHash hash = kDefaultKeyHash) {
  Placement placement;
  placement.hash = hash;
  placement.distribution = distribution;
  for (const Weighted& shard : shards) {
    placement.shards.push_back({.ring_name = shard.name, .weight = shard.weight, .live = true});
  }
  std::ranges::sort(placement.shards, SortsBefore, &RingShard::ring_name);
  return placement;
}

double MovedBetween(const v1::Plan& plan, const std::string& from, const std::string& to) {
  double fraction = 0;
  for (const v1::Move& move : plan.moves()) {
    if (move.from_shard() == from && move.to_shard() == to) fraction += move.fraction();
  }
  return fraction;
}

// --- Against brute force ---

using Shares = std::map<std::pair<std::string, std::string>, double>;

constexpr size_t kKeys = 1'000'000;

// The share of `hashes` that each pair of shards exchanges.
Shares BruteForce(const Placement& before, const Placement& after,
                  const std::vector<uint32_t>& hashes) {
  Ring from_ring = BuildRing(before.distribution, before.shards);
  Ring to_ring = BuildRing(after.distribution, after.shards);
  std::vector<uint64_t> counts(before.shards.size() * after.shards.size());
  for (uint32_t hash : hashes) {
    ++counts[from_ring.Select(hash) * after.shards.size() + to_ring.Select(hash)];
  }
  Shares shares;
  for (size_t i = 0; i < counts.size(); ++i) {
    const std::string& from = before.shards[i / after.shards.size()].ring_name;
    const std::string& to = after.shards[i % after.shards.size()].ring_name;
    if (from == to) continue;
    shares[{from, to}] = static_cast<double>(counts[i]) / static_cast<double>(hashes.size());
  }
  return shares;
}

std::vector<uint32_t> HashesOfKeys(KeyHash hash) {
  std::vector<uint32_t> hashes;
  hashes.reserve(kKeys);
  SampleKeys keys(20260801);  // other keys than those of the estimate
  for (size_t i = 0; i < kKeys; ++i) hashes.push_back(HashKey(hash, keys.Next()));
  return hashes;
}

class PlanBruteForceTest : public testing::TestWithParam<size_t> {};

TEST_P(PlanBruteForceTest, SharesAreThoseOfAMillionKeys) {
  auto hash = static_cast<KeyHash>(GetParam());
  const std::vector<uint32_t> hashes = HashesOfKeys(hash);
  for (Distribution distribution : {Distribution::kKetama, Distribution::kModula}) {
    // One shard comes, one goes, one gets another weight.
    Placement before = Place({{"s1"}, {"s2", 2}, {"s3"}, {"s4", 3}, {"s5"}}, distribution, hash);
    Placement after = Place({{"s1"}, {"s2", 2}, {"s4", 1}, {"s5"}, {"s10", 2}}, distribution, hash);
    v1::Plan plan = PlanMoves(before, after);
    double moved = 0;
    for (const auto& [pair, share] : BruteForce(before, after, hashes)) {
      // Five standard deviations of the share among a million keys.
      EXPECT_NEAR(MovedBetween(plan, pair.first, pair.second), share, 0.0025)
          << DistributionName(distribution) << ": " << pair.first << " to " << pair.second;
      moved += share;
    }
    EXPECT_NEAR(plan.moved_fraction(), moved, 0.0025) << DistributionName(distribution);
    bool is_estimated = hash == KeyHash::kCrc16 || hash == KeyHash::kHsieh;
    EXPECT_EQ(plan.method(), is_estimated ? v1::PLAN_ESTIMATED : v1::PLAN_EXACT);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryHash, PlanBruteForceTest, testing::Range<size_t>(0, kKeyHashCount),
                         [](const auto& info) {
                           return std::string(KeyHashName(static_cast<KeyHash>(info.param)));
                         });

// --- By reckoning ---

TEST(PlanTest, ModulaIsCountedOverTheLeastCommonMultiple) {
  // mod 2: a b a b a b; mod 3: a b c a b c. A third stays: hashes 0 and 1 of each six.
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}, Distribution::kModula),
                            Place({{"a"}, {"b"}, {"c"}}, Distribution::kModula));
  EXPECT_EQ(plan.method(), v1::PLAN_EXACT);
  EXPECT_NEAR(plan.moved_fraction(), 4.0 / 6, 1e-9);
  EXPECT_NEAR(MovedBetween(plan, "b", "a"), 1.0 / 6, 1e-9);
  EXPECT_NEAR(MovedBetween(plan, "a", "c"), 1.0 / 6, 1e-9);
  EXPECT_EQ(plan.shards_before(), 2u);
  EXPECT_EQ(plan.shards_after(), 3u);
}

TEST(PlanTest, TheLastIncompletePeriodOfModulaCounts) {
  // 2^32 = 3 * 1431655765 + 1: slot 0 has one hash more.
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}, {"c"}}, Distribution::kModula),
                            Place({{"a"}}, Distribution::kModula));
  EXPECT_DOUBLE_EQ(plan.moved_fraction(), 2 * 1431655765.0 / 4294967296.0);
}

TEST(PlanTest, Crc32MovesOnlyWhatFifteenBitsReach) {
  // Every hash is below 2^15, hence on ketama's first arcs: one shard owns all keys.
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}, Distribution::kModula, KeyHash::kCrc32),
                            Place({{"a", 1 << 15}, {"b"}}, Distribution::kModula, KeyHash::kCrc32));
  EXPECT_EQ(plan.method(), v1::PLAN_EXACT);
  EXPECT_DOUBLE_EQ(plan.moved_fraction(), 0.5);
  EXPECT_DOUBLE_EQ(MovedBetween(plan, "b", "a"), 0.5);
}

TEST(PlanTest, PairsAreListedByTheirShare) {
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b", 5}, {"c", 2}}), Place({{"a"}}));
  ASSERT_EQ(plan.moves_size(), 2);
  EXPECT_EQ(plan.moves(0).from_shard(), "b");
  EXPECT_EQ(plan.moves(1).from_shard(), "c");
  EXPECT_DOUBLE_EQ(plan.moved_fraction(), plan.moves(0).fraction() + plan.moves(1).fraction());
}

TEST(PlanTest, OnlyTheLargestMovesAreListedButAllAreCounted) {
  std::vector<Weighted> shards;
  for (int i = 0; i < 30; ++i) shards.push_back({.name = StrCat("s", i)});
  Placement before = Place(shards, Distribution::kModula);
  shards.push_back({.name = "one more"});
  v1::Plan plan = PlanMoves(before, Place(shards, Distribution::kModula));
  EXPECT_EQ(plan.moves_size(), kMostMoves);
  EXPECT_NEAR(plan.moved_fraction(), 30.0 / 31, 1e-6);
}

TEST(PlanTest, TheSameRingMovesNothing) {
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}), Place({{"b"}, {"a"}}));
  EXPECT_EQ(plan.moves_size(), 0);
  EXPECT_EQ(plan.moved_fraction(), 0);
}

TEST(PlanTest, AnEmptyRingGainsKeysWithoutMovingAny) {
  v1::Plan plan = PlanMoves(Place({}), Place({{"a"}, {"b"}}));
  EXPECT_EQ(plan.moves_size(), 0);
  EXPECT_EQ(plan.moved_fraction(), 0);
  EXPECT_EQ(plan.shards_after(), 2u);
}

TEST(PlanTest, ARingThatBecomesEmptyLosesEveryKey) {
  for (Distribution distribution : {Distribution::kKetama, Distribution::kModula}) {
    v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}, distribution), Place({}, distribution));
    EXPECT_DOUBLE_EQ(plan.moved_fraction(), 1);
    EXPECT_DOUBLE_EQ(MovedBetween(plan, "a", "") + MovedBetween(plan, "b", ""), 1);
  }
}

TEST(PlanTest, RandomHasNoOwnersToChange) {
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}, Distribution::kRandom),
                            Place({{"a"}}, Distribution::kRandom));
  EXPECT_EQ(plan.method(), v1::PLAN_NOT_APPLICABLE);
  EXPECT_EQ(plan.moved_fraction(), 0);
}

TEST(PlanTest, LeavingKetamaForRandomSendsHalfTheRequestsElsewhere) {
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}), Place({{"a"}, {"b"}}, Distribution::kRandom));
  EXPECT_EQ(plan.method(), v1::PLAN_ESTIMATED);
  EXPECT_NEAR(plan.moved_fraction(), 0.5, 0.0025);
}

TEST(PlanTest, WeightsWithAHugeCommonMultipleAreSampled) {
  Placement before = Place({{"a", 7}, {"b", 4}}, Distribution::kModula);
  Placement after = Place({{"a", 2000000011}, {"b", 2000000011}}, Distribution::kModula);
  v1::Plan plan = PlanMoves(before, after);
  EXPECT_EQ(plan.method(), v1::PLAN_ESTIMATED);
  EXPECT_THAT(plan.estimated_because(), testing::HasSubstr("too late to be counted"));
  // Both rings are independent of each other.
  EXPECT_NEAR(MovedBetween(plan, "a", "b"), 7.0 / 11 * 2000000011.0 / 4294967296.0, 0.0025);
}

TEST(PlanTest, AnotherKeyHashMovesWhatChanceMoves) {
  v1::Plan plan = PlanMoves(Place({{"a"}, {"b"}}, Distribution::kModula, KeyHash::kMd5),
                            Place({{"a"}, {"b"}}, Distribution::kModula, KeyHash::kMurmur));
  EXPECT_EQ(plan.method(), v1::PLAN_ESTIMATED);
  EXPECT_NEAR(plan.moved_fraction(), 0.5, 0.0025);
}

TEST(PlanTest, AnotherHashTagIsReckonedAsIfAllKeysHadOne) {
  Placement before = Place({{"a"}, {"b"}}, Distribution::kModula);
  Placement after = before;
  after.hash_tag = {.open = '{', .close = '}', .enabled = true};
  v1::Plan plan = PlanMoves(before, after);
  EXPECT_EQ(plan.method(), v1::PLAN_ESTIMATED);
  EXPECT_NEAR(plan.moved_fraction(), 0.5, 0.0025);
}

TEST(PlanTest, HashCharMattersOnlyToHashesThatHeedIt) {
  Placement before = Place({{"a"}, {"b"}}, Distribution::kModula, KeyHash::kMd5);
  Placement after = before;
  after.hash_char = CharSign::kUnsigned;
  EXPECT_EQ(PlanMoves(before, after).moved_fraction(), 0);
  before.hash = after.hash = KeyHash::kFnv1a_64;
  EXPECT_NEAR(PlanMoves(before, after).moved_fraction(), 0.5, 0.0025);
}

TEST(PlacementTest, OnlyActiveSlotsAreOnTheRing) {
  v1::PoolPolicy policy;
  policy.set_hash("md5");
  policy.set_hash_tag("{}");
  policy.set_hash_char("unsigned");
  policy.set_distribution("modula");
  google::protobuf::RepeatedPtrField<v1::Slot> slots;
  auto add = [&](const char* name, v1::SlotState state) {
    v1::Slot& slot = *slots.Add();
    slot.set_name(name);
    slot.set_weight(2);
    slot.set_state(state);
  };
  add("s10", v1::SLOT_ACTIVE);
  add("s2", v1::SLOT_ACTIVE);
  add("s3", v1::SLOT_DRAINING);
  add("s4", v1::SLOT_PENDING);
  add("s5", v1::SLOT_EXCLUDED);
  Placement placement = PlacementOf(policy, slots);
  ASSERT_EQ(placement.shards.size(), 2u);
  EXPECT_EQ(placement.shards[0].ring_name, "s2");
  EXPECT_EQ(placement.shards[1].ring_name, "s10");
  EXPECT_EQ(placement.shards[1].weight, 2u);
  EXPECT_EQ(placement.hash, KeyHash::kMd5);
  EXPECT_EQ(placement.hash_char, CharSign::kUnsigned);
  EXPECT_TRUE(placement.hash_tag.enabled);
  EXPECT_EQ(placement.distribution, Distribution::kModula);
}

TEST(PlanTest, APlanOfThousandsOfShardsListsTheLargestMoves) {
  std::vector<Weighted> shards;
  for (int i = 0; i < 3000; ++i) shards.push_back({StrCat("s", i)});
  const Placement before = Place(shards);
  shards.push_back({"new"});
  const v1::Plan plan = PlanMoves(before, Place(shards));
  EXPECT_EQ(plan.method(), v1::PLAN_EXACT);
  EXPECT_NEAR(plan.moved_fraction(), 1.0 / 3001, 0.00015);
  // Nearly every shard gives keys to every other one: the largest moves are listed.
  const v1::Plan other = PlanMoves(before, Place(shards, Distribution::kModula));
  EXPECT_EQ(other.moves_size(), kMostMoves);
  EXPECT_GT(other.moved_fraction(), 0.9);
}

}  // namespace
}  // namespace weir
