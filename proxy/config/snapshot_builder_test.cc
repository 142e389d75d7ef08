#include "proxy/config/snapshot_builder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

PoolConfig Pool(const std::string& name, const std::vector<std::string>& shards) {
  PoolConfig pool;
  pool.name = name;
  pool.redis = true;
  for (const std::string& shard : shards) {
    pool.servers.push_back({.name = shard,
                            .endpoint = TcpEndpoint("127.0.0.1", 6379),
                            .weight = 1,
                            .ring_name = shard});
  }
  return pool;
}

Config ConfigOf(std::vector<PoolConfig> pools) {
  Config config;
  config.pools = std::move(pools);
  return config;
}

TEST(SnapshotBuilderTest, BuildsRingHashAndCommandsOfEachPool) {
  const SnapshotPtr snapshot =
      *BuildSnapshot(ConfigOf({Pool("alpha", {"a", "b"}), Pool("beta", {"c"})}), nullptr);
  EXPECT_EQ(snapshot->generation, 1u);
  ASSERT_EQ(snapshot->pools.size(), 2u);
  const PoolSnapshot* alpha = snapshot->FindPool("alpha");
  ASSERT_NE(alpha, nullptr);
  EXPECT_EQ(alpha->shard_count(), 2u);
  EXPECT_EQ(alpha->ring->shard_count(), 2u);
  EXPECT_EQ(alpha->key_hash, GetKeyHashFunction(KeyHash::kFnv1a_64));
  EXPECT_NE(alpha->commands->Find("get"), nullptr);
  EXPECT_EQ(snapshot->FindPool("gamma"), nullptr);
}

TEST(SnapshotBuilderTest, PoolsThatDidNotChangeAreShared) {
  const SnapshotPtr first =
      *BuildSnapshot(ConfigOf({Pool("alpha", {"a", "b"}), Pool("beta", {"c"})}), nullptr);
  PoolConfig changed = Pool("beta", {"c"});
  changed.timeout = absl::Milliseconds(400);
  const SnapshotPtr second =
      *BuildSnapshot(ConfigOf({Pool("alpha", {"a", "b"}), changed}), first.get());
  EXPECT_EQ(second->generation, 2u);
  EXPECT_EQ(second->pools[0], first->pools[0]);
  EXPECT_NE(second->pools[1], first->pools[1]);
  EXPECT_EQ(second->pools[1]->config.timeout, absl::Milliseconds(400));
}

TEST(SnapshotBuilderTest, APoolIsSharedWhateverItsPlace) {
  const SnapshotPtr first =
      *BuildSnapshot(ConfigOf({Pool("alpha", {"a"}), Pool("beta", {"b"})}), nullptr);
  const SnapshotPtr second =
      *BuildSnapshot(ConfigOf({Pool("beta", {"b"}), Pool("alpha", {"a"})}), first.get());
  EXPECT_EQ(second->pools[0], first->pools[1]);
  EXPECT_EQ(second->pools[1], first->pools[0]);
}

TEST(SnapshotBuilderTest, ExtraCommandsAreThePoolsOwn) {
  PoolConfig pool = Pool("alpha", {"a"});
  pool.commands.push_back({.name = "json.get", .first_key = 1, .last_key = 1, .step = 1});
  const SnapshotPtr snapshot = *BuildSnapshot(ConfigOf({pool, Pool("beta", {"b"})}), nullptr);
  EXPECT_NE(snapshot->FindPool("alpha")->commands->Find("json.get"), nullptr);
  EXPECT_EQ(snapshot->FindPool("beta")->commands->Find("json.get"), nullptr);
}

TEST(SnapshotBuilderTest, ACommandThatMayNotBeRestatedIsRefusedWithItsPoolAndKey) {
  PoolConfig pool = Pool("alpha", {"a"});
  pool.commands.push_back({.name = "subscribe", .first_key = 1, .last_key = 1, .step = 1});
  const absl::StatusOr<SnapshotPtr> snapshot = BuildSnapshot(ConfigOf({pool}), nullptr);
  ASSERT_FALSE(snapshot.ok());
  const std::string text(FromAbsl(snapshot.status().message()));
  for (const char* part : {"pool 'alpha'", "'commands'", "subscribe"}) {
    EXPECT_NE(text.find(part), text.npos) << text;
  }
}

TEST(SnapshotBuilderTest, EveryPoolThatCannotBeServedIsNamedWithItsPlace) {
  PoolConfig alpha = Pool("alpha", {"a"});
  alpha.redis = false;
  alpha.place.text = "f.yml:1: ";
  PoolConfig beta = Pool("beta", {"b"});
  beta.redis = false;
  const absl::StatusOr<SnapshotPtr> snapshot =
      BuildSnapshot(ConfigOf({alpha, Pool("good", {"c"}), beta}), nullptr);
  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.status().message(),
            "f.yml:1: pool 'alpha', key 'redis': found false (memcached), expected true: memcached "
            "pools are not served yet\n"
            "pool 'beta', key 'redis': found false (memcached), expected true: memcached pools are "
            "not served yet");
}

TEST(SnapshotBuilderTest, APoolThatOnlyMovedInItsFileIsShared) {
  const SnapshotPtr first = *BuildSnapshot(ConfigOf({Pool("alpha", {"a"})}), nullptr);
  PoolConfig moved = Pool("alpha", {"a"});
  moved.place.text = "f.yml:7: ";
  EXPECT_EQ((*BuildSnapshot(ConfigOf({moved}), first.get()))->pools[0], first->pools[0]);
}

TEST(SnapshotBuilderTest, AShardThatMovedIsNoReasonToBuildTheRingAnew) {
  const SnapshotPtr first = *BuildSnapshot(ConfigOf({Pool("alpha", {"a", "b"})}), nullptr);
  PoolConfig moved = Pool("alpha", {"a", "b"});
  moved.servers[0].endpoint = TcpEndpoint("127.0.0.1", 9999);
  moved.timeout = absl::Milliseconds(77);
  const SnapshotPtr second = *BuildSnapshot(ConfigOf({moved}), first.get());
  EXPECT_NE(second->pools[0], first->pools[0]);
  EXPECT_EQ(second->pools[0]->config, moved);
  EXPECT_EQ(second->pools[0]->ring, first->pools[0]->ring);
  moved.servers[0].weight = 2;
  EXPECT_NE((*BuildSnapshot(ConfigOf({moved}), second.get()))->pools[0]->ring,
            first->pools[0]->ring);
}

TEST(SnapshotBuilderTest, ARingWithoutAShardKeepsTheOthersNumbers) {
  const PoolConfig pool = Pool("alpha", {"a", "b", "c"});
  const std::shared_ptr<const Ring> ring = BuildPoolRing(pool, {true, false, true});
  EXPECT_EQ(ring->shard_count(), 3u);
  for (uint32_t hash = 0; hash < 4'000'000'000u; hash += 1'000'003) {
    ASSERT_NE(ring->Select(hash), 1u);
  }
}

}  // namespace
}  // namespace weir
