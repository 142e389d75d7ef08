#include "proxy/routing/shard_selector.h"

#include <gtest/gtest.h>

#include <set>

#include "proxy/base/strings.h"
#include "proxy/config/snapshot_builder.h"

namespace weir {
namespace {

PoolSnapshotPtr MakePool(size_t shards, Distribution distribution = Distribution::kKetama) {
  Config config;
  PoolConfig& pool = config.pools.emplace_back();
  pool.name = "alpha";
  pool.redis = true;
  pool.distribution = distribution;
  pool.hash_tag = {.open = '{', .close = '}', .enabled = true};
  for (size_t i = 0; i < shards; ++i) {
    std::string name = StrCat("shard", i);
    pool.servers.push_back({.name = name, .endpoint = {}, .weight = 1, .ring_name = name});
  }
  return (*BuildSnapshot(config, nullptr))->pools[0];
}

TEST(ShardSelectorTest, FollowsTheRingAndTheHashTag) {
  PoolSnapshotPtr pool = MakePool(5);
  ShardSelector selector(pool, 1);
  std::set<uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    std::string key = StrCat("key:", i * 7919);
    EXPECT_EQ(selector.Select(key).shard, pool->ring->Select(pool->key_hash(key)));
    seen.insert(selector.Select(key).shard);
    EXPECT_EQ(selector.Select(StrCat("{tag}", i)).shard, selector.Select("tag").shard);
  }
  EXPECT_EQ(seen.size(), 5u);
}

TEST(ShardSelectorTest, TheEmptyKeyHashesToZero) {
  PoolSnapshotPtr pool = MakePool(5);
  EXPECT_EQ(ShardSelector(pool, 1).Select("").shard, pool->ring->Select(0));
}

TEST(ShardSelectorTest, ASingleShardServesEverything) {
  ShardSelector selector(MakePool(1), 1);
  EXPECT_EQ(selector.Select("any").shard, 0u);
}

TEST(ShardSelectorTest, EjectedShardsGetNoKeysOfARebuiltRing) {
  PoolSnapshotPtr pool = MakePool(3);
  ShardSelector selector(pool, 1);
  std::vector<bool> live = {true, false, true};
  selector.SetHealth(BuildPoolRing(pool->config, live), live);
  EXPECT_TRUE(selector.ejected(1));
  for (int i = 0; i < 1000; ++i) EXPECT_NE(selector.Select(StrCat(i * 7919)).shard, 1u);
}

TEST(ShardSelectorTest, AnyShardIsOneThatIsNotEjected) {
  PoolSnapshotPtr pool = MakePool(3);
  ShardSelector selector(pool, 1);
  EXPECT_EQ(selector.Any().shard, 0u);
  std::vector<bool> live = {false, false, true};
  selector.SetHealth(BuildPoolRing(pool->config, live), live);
  EXPECT_EQ(selector.Any().shard, 2u);
  selector.SetHealth(pool->ring, {false, false, false});
  EXPECT_EQ(selector.Any().shard, 0u);
}

TEST(ShardSelectorTest, RandomReachesEveryShard) {
  ShardSelector selector(MakePool(4, Distribution::kRandom), 1);
  std::set<uint32_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(selector.Select("same").shard);
  EXPECT_EQ(seen.size(), 4u);
}

}  // namespace
}  // namespace weir
