#include "proxy/server/report.h"

#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace weir {
namespace {

using Tables = std::vector<std::shared_ptr<const StatsTable>>;

std::shared_ptr<StatsTable> NewTable() {
  auto layout = std::make_shared<StatsLayout>();
  layout->pools = {{.name = "alpha", .shards = {"a", "b"}}};
  return std::make_shared<StatsTable>(std::move(layout));
}

PoolConfig Alpha() {
  PoolConfig pool;
  pool.name = "alpha";
  for (const char* name : {"a", "b"}) {
    pool.servers.push_back({.name = name, .endpoint = {}, .ring_name = name});
  }
  return pool;
}

TEST(ReportTest, TheCountsOfAllWorkersAreSummed) {
  const std::shared_ptr<StatsTable> first = NewTable();
  const std::shared_ptr<StatsTable> second = NewTable();
  first->shard(0, 0).requests.Add(2);
  second->shard(0, 0).requests.Add(3);
  second->shard(0, 1).requests.Add(1);
  second->shard(0, 1).server_err.Add(4);
  second->shard(0, 1).server_timedout.Add(5);
  first->pool(0).client_connections.Set(6);
  second->pool(0).client_connections.Set(7);

  const v1::Report report = MakeReport(Tables{first, second}, {});
  ASSERT_EQ(report.shards_size(), 2);
  EXPECT_EQ(report.shards(0).pool(), "alpha");
  EXPECT_EQ(report.shards(0).shard(), "a");
  EXPECT_EQ(report.shards(0).requests(), 5u);
  EXPECT_FALSE(report.shards(0).ejected());
  EXPECT_EQ(report.shards(1).errors(), 4u);
  EXPECT_EQ(report.shards(1).timeouts(), 5u);
  EXPECT_EQ(report.sessions(), 13u);
  EXPECT_EQ(CountRequests(report), 6u);
}

TEST(ReportTest, AnEjectedShardIsReportedWithTheTime) {
  EjectedShards ejected;
  const std::shared_ptr<StatsTable> table = NewTable();
  table->shard(0, 1).server_ejected_at.Set(7'000'000);
  SetEjected(Alpha(), {true, false}, ejected);
  const v1::Report report = MakeReport(Tables{table}, ejected);
  EXPECT_FALSE(report.shards(0).ejected());
  EXPECT_TRUE(report.shards(1).ejected());
  EXPECT_EQ(report.shards(1).ejected_since().seconds(), 7);
}

v1::Report ReportOf(int shards) {
  v1::Report report;
  for (int i = 0; i < shards; ++i) report.add_shards()->set_requests(static_cast<uint64_t>(i));
  return report;
}

TEST(ReportTest, AReportOfFewShardsIsWhole) {
  v1::Report report = ReportOf(kMaxReportedShards);
  int next = 0;
  LimitShards(report, next);
  EXPECT_EQ(report.shards_size(), kMaxReportedShards);
  EXPECT_EQ(next, 0);
}

// The control plane ended the stream of a proxy with very many shards, and so the next one.
TEST(ReportTest, AllOfManyShardsAreInOneOfTheReportsAndTheEjectedInEach) {
  const int shards = 2 * kMaxReportedShards + 1;
  std::set<uint64_t> seen;
  int next = 0;
  for (int i = 0; i < 3; ++i) {
    v1::Report report = ReportOf(shards);
    report.mutable_shards(shards - 1)->set_ejected(true);
    LimitShards(report, next);
    EXPECT_EQ(report.shards_size(), kMaxReportedShards);
    EXPECT_TRUE(report.shards(0).ejected());
    for (const v1::ShardReport& shard : report.shards()) seen.insert(shard.requests());
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(shards));
}

TEST(ReportTest, LongNamesAreCountedByTheirBytes) {
  v1::Report report = ReportOf(100);
  for (v1::ShardReport& shard : *report.mutable_shards()) {
    shard.set_shard(std::string(kMaxReportedShardBytes / 10, 's'));
  }
  int next = 99;
  LimitShards(report, next);
  EXPECT_EQ(report.shards_size(), 9);
  EXPECT_EQ(report.shards(0).requests(), 99u);
  EXPECT_EQ(next, 8);
}

TEST(ReportTest, AnEjectionAndARestoreAreNewsOnce) {
  EjectedShards ejected;
  EXPECT_FALSE(SetEjected(Alpha(), {true, true}, ejected));
  EXPECT_TRUE(SetEjected(Alpha(), {true, false}, ejected));
  EXPECT_FALSE(SetEjected(Alpha(), {true, false}, ejected));
  EXPECT_TRUE(SetEjected(Alpha(), {true, true}, ejected));
  EXPECT_TRUE(ejected.empty());
}

}  // namespace
}  // namespace weir
