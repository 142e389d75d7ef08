#include "proxy/server/session_limit.h"

#include <gtest/gtest.h>

#include "proxy/base/strings.h"
#include "proxy/config/snapshot_builder.h"

namespace weir {
namespace {

SnapshotPtr Pools(size_t pools, size_t shards, uint32_t server_connections) {
  Config config;
  for (size_t i = 0; i < pools; ++i) {
    PoolConfig& pool = config.pools.emplace_back();
    pool.name = StrCat("pool", i);
    pool.redis = true;
    pool.server_connections = server_connections;
    for (size_t j = 0; j < shards; ++j) {
      const std::string name = StrCat("shard", j);
      pool.servers.push_back(
          {.name = name, .endpoint = TcpEndpoint("127.0.0.1", 6379 + j), .ring_name = name});
    }
  }
  return *BuildSnapshot(config, nullptr);
}

TEST(SessionLimitTest, KeepsBackWhatTheShardsOfAllPoolsNeed) {
  EXPECT_EQ(SessionLimit(10'000, 1, *Pools(1, 1, 1)), 10'000 - (16 + 4 + 1 + 3 + 1));
  EXPECT_EQ(SessionLimit(10'000, 4, *Pools(1, 1, 1)), 10'000 - (16 + 16 + 1 + 12 + 1));
  EXPECT_EQ(SessionLimit(10'000, 1, *Pools(1, 10, 2)), 10'000 - (16 + 4 + 1 + 50 + 10));
  EXPECT_EQ(SessionLimit(10'000, 1, *Pools(3, 1, 1)), 10'000 - (16 + 4 + 3 * 5));
}

TEST(SessionLimitTest, LeavesHalfOfAllToSessions) {
  EXPECT_EQ(SessionLimit(40, 1, *Pools(1, 100, 1)), 20u);
}

}  // namespace
}  // namespace weir
