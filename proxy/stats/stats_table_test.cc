#include "proxy/stats/stats_table.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::shared_ptr<const StatsLayout> Layout(std::vector<StatsLayout::Pool> pools) {
  return std::make_shared<const StatsLayout>(StatsLayout{std::move(pools)});
}

TEST(StatsTableTest, CellsStartAtZeroAndAreSeparate) {
  StatsTable table(Layout({{"alpha", {"a", "b"}}, {"beta", {"a"}}}));
  table.pool(0).requests.Add(3);
  table.shard(0, 1).requests.Add(2);
  EXPECT_EQ(table.pool(1).requests.Get(), 0u);
  EXPECT_EQ(table.shard(0, 0).requests.Get(), 0u);
  EXPECT_EQ(table.shard(1, 0).requests.Get(), 0u);
  EXPECT_EQ(table.shard(0, 1).requests.Get(), 2u);
}

TEST(StatsTableTest, AReloadKeepsTheCountsOfPoolsAndShardsByName) {
  StatsTable before(Layout({{"alpha", {"a", "b"}}, {"beta", {"a"}}}));
  before.process().total_connections.Add(9);
  before.pool(1).requests.Add(7);
  before.shard(0, 1).responses.Add(5);
  before.shard(1, 0).responses.Add(1);

  StatsTable after(Layout({{"new", {"a"}}, {"beta", {"a"}}, {"alpha", {"b", "c"}}}), &before);
  EXPECT_EQ(after.process().total_connections.Get(), 9u);
  EXPECT_EQ(after.pool(0).requests.Get(), 0u);
  EXPECT_EQ(after.pool(1).requests.Get(), 7u);
  EXPECT_EQ(after.shard(2, 0).responses.Get(), 5u);
  EXPECT_EQ(after.shard(2, 1).responses.Get(), 0u);
  EXPECT_EQ(after.shard(0, 0).responses.Get(), 0u);
}

TEST(StatsTableTest, WhatStillCountsForTheOldSnapshotShowsInTheNew) {
  StatsTable before(Layout({{"alpha", {"a"}}}));
  StatsTable after(Layout({{"alpha", {"b", "a"}}}), &before);
  before.shard(0, 0).requests.Add();
  EXPECT_EQ(after.shard(0, 1).requests.Get(), 1u);
}

TEST(StatsTableTest, SharedCellsOutliveTheTable) {
  std::shared_ptr<ShardStats> cells;
  {
    StatsTable table(Layout({{"alpha", {"a"}}}));
    cells = table.ShareShard(0, 0);
  }
  cells->requests.Add();
  EXPECT_EQ(cells->requests.Get(), 1u);
}

TEST(StatsTableTest, FindsByNameWhateverTheHint) {
  const StatsTable table(Layout({{"alpha", {"a", "b"}}, {"beta", {"c"}}}));
  EXPECT_EQ(table.FindPool("beta", 0), &table.pool(1));
  EXPECT_EQ(table.FindPool("beta", 99), &table.pool(1));
  EXPECT_EQ(table.FindPool("gamma", 0), nullptr);
  EXPECT_EQ(table.FindShard("alpha", 1, "b", 7), &table.shard(0, 1));
  EXPECT_EQ(table.FindShard("alpha", 0, "c", 0), nullptr);
  EXPECT_EQ(table.FindShard("gamma", 0, "c", 0), nullptr);
}

// Different workers' cells on one cache line would make them wait for each other.
static_assert(alignof(PoolStats) == 64 && alignof(ShardStats) == 64 && alignof(ProcessStats) == 64);

}  // namespace
}  // namespace weir
