// Which connection a session gets, and the accounts of leases.
#include "proxy/upstream/pool_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

constexpr auto kResp2 = RespVersion::kResp2;
constexpr auto kResp3 = RespVersion::kResp3;

TEST(PoolConnectionsTest, ASessionAlwaysGetsTheSameConnectionToAShard) {
  SessionHarness h([](PoolConfig& pool) { pool.server_connections = 3; });
  std::set<UpstreamConnection*> seen;
  for (uint64_t session = 0; session < 9; ++session) {
    UpstreamConnection& connection =
        h.connections().Shared(0, h.connections().SlotOf(session), kResp2);
    EXPECT_EQ(&connection, &h.connections().Shared(0, h.connections().SlotOf(session), kResp2));
    seen.insert(&connection);
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(PoolConnectionsTest, ShardsAndVersionsHaveTheirOwnConnections) {
  SessionHarness h;
  PoolConnections& connections = h.connections();
  const std::set<UpstreamConnection*> seen = {
      &connections.Shared(0, connections.SlotOf(1), kResp2),
      &connections.Shared(0, connections.SlotOf(1), kResp3),
      &connections.Shared(1, connections.SlotOf(1), kResp2),
      &connections.Shared(1, connections.SlotOf(1), kResp3)};
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(connections.Shared(1, connections.SlotOf(1), kResp3).shard(), 1u);
  EXPECT_EQ(connections.Shared(1, connections.SlotOf(1), kResp3).version(), kResp3);
}

TEST(PoolConnectionsTest, PreconnectsEverySharedConnection) {
  SessionHarness h([](PoolConfig& pool) { pool.server_connections = 2; });
  h.connections().Preconnect();
  h.Settle();
  EXPECT_EQ(h.shard("a").connections(), 2u);
  EXPECT_EQ(h.shard("b").connections(), 2u);
}

TEST(PoolConnectionsTest, LendsNoMoreThanMaxLeasesPerShard) {
  SessionHarness h([](PoolConfig& pool) { pool.max_leases = 2; });
  UpstreamConnection* first = h.connections().BeginLease(0, kResp2);
  UpstreamConnection* second = h.connections().BeginLease(0, kResp2);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_NE(first, second);
  EXPECT_EQ(h.connections().BeginLease(0, kResp2), nullptr);
  EXPECT_NE(h.connections().BeginLease(1, kResp2), nullptr) << "the other shard has its own";
  EXPECT_EQ(h.stats().leases.Get(), 3);
  h.connections().EndLease(first);
  EXPECT_EQ(h.stats().leases.Get(), 2);
  EXPECT_NE(h.connections().BeginLease(0, kResp2), nullptr);
}

TEST(PoolConnectionsTest, AConnectedLeaseIsKeptForTheNextOfItsVersion) {
  SessionHarness h;
  UpstreamConnection* lease = h.connections().BeginLease(0, kResp2);
  lease->Connect();
  h.Settle();
  h.connections().EndLease(lease);
  UpstreamConnection* other = h.connections().BeginLease(0, kResp3);
  EXPECT_NE(other, lease);
  EXPECT_EQ(h.connections().BeginLease(0, kResp2), lease);
}

TEST(PoolConnectionsTest, KeepsOnlyAFewIdleLeases) {
  SessionHarness h;
  std::vector<UpstreamConnection*> leases;
  for (int i = 0; i < 10; ++i) {
    leases.push_back(h.connections().BeginLease(0, kResp2));
    leases.back()->Connect();
  }
  h.Settle();
  EXPECT_EQ(h.shard_stats("a").server_connections.Get(), 10);
  for (UpstreamConnection* lease : leases) h.connections().EndLease(lease);
  h.Settle();
  EXPECT_EQ(h.shard_stats("a").server_connections.Get(), 4);
}

TEST(PoolConnectionsTest, AnAddressThatChangedIsUsedByTheNextConnect) {
  SessionHarness h;
  h.client().Sends("GET a1");
  h.shard("a").Replies("from a");
  // From now on shard a lives where shard b does.
  h.connections().SetAddresses(0, {h.AddressOf("b")});
  h.client().Sends("GET a1");
  h.shard("a").Replies("still from a");
  h.shard("a").ClosesConnection();
  h.client().Sends("GET a1");
  h.shard("b").Replies("from b");
  EXPECT_THAT(h.client().Received(), ElementsAre("from a", "still from a", "from b"));
}

TEST(PoolConnectionsTest, WhatIsPendingWhenThePoolEndsFails) {
  SessionHarness h;
  h.client().Sends("GET a1");
  h.EndsPool();
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR shard a was removed")));
}

}  // namespace
}  // namespace weir
