// Which connection a session gets, and the accounts of leases.
#include "proxy/upstream/pool_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/session_harness.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::_;
using testing::ElementsAre;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

using enum ConnectionVariant;

TEST(PoolConnectionsTest, SessionsGetAllConnectionsInTurnAndEachKeepsItsOwn) {
  SessionHarness h([](PoolConfig& pool) { pool.server_connections = 3; });
  std::map<UpstreamConnection*, int> sessions;
  for (int i = 0; i < 9; ++i) {
    const ConnectionSlot slot = h.connections().NextSlot();
    UpstreamConnection& connection = h.connections().Shared(0, slot, kBase);
    EXPECT_EQ(&connection, &h.connections().Shared(0, slot, kBase));
    ++sessions[&connection];
  }
  EXPECT_THAT(sessions, UnorderedElementsAre(Pair(_, 3), Pair(_, 3), Pair(_, 3)));
}

TEST(PoolConnectionsTest, ShardsAndVersionsHaveTheirOwnConnections) {
  SessionHarness h;
  PoolConnections& connections = h.connections();
  const ConnectionSlot slot = connections.NextSlot();
  const std::set<UpstreamConnection*> seen = {
      &connections.Shared(0, slot, kBase), &connections.Shared(0, slot, kNewer),
      &connections.Shared(1, slot, kBase), &connections.Shared(1, slot, kNewer)};
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(connections.Shared(1, slot, kNewer).shard(), 1u);
  EXPECT_EQ(connections.Shared(1, slot, kNewer).variant(), kNewer);
}

TEST(PoolConnectionsTest, PreconnectsEverySharedConnection) {
  SessionHarness h([](PoolConfig& pool) { pool.server_connections = 2; });
  h.connections().Preconnect();
  h.Settle();
  EXPECT_EQ(h.shard("a").connections(), 2u);
  EXPECT_EQ(h.shard("b").connections(), 2u);
}

TEST(PoolConnectionsTest, AReloadConnectsToNoEjectedShardInAdvance) {
  SessionHarness h;
  h.selector().SetHealth(h.context().pool->ring, {false, true});
  h.connections().Preconnect();
  h.Settle();
  EXPECT_EQ(h.shard("a").connections(), 0u);
  EXPECT_EQ(h.shard("b").connections(), 1u);
}

TEST(PoolConnectionsTest, AShardThatWasEjectedAtAReloadIsConnectedInAdvanceWhenItIsBack) {
  SessionHarness h([](PoolConfig& pool) {
    pool.preconnect = true;
    pool.server_connections = 2;
  });
  h.selector().SetHealth(h.context().pool->ring, {false, true});
  h.connections().Preconnect();
  h.selector().SetHealth(h.context().pool->ring, {true, true});
  h.connections().ConnectAgain(0);
  h.Settle();
  EXPECT_EQ(h.shard("a").connections(), 2u);
  EXPECT_EQ(h.shard("b").connections(), 2u);
}

TEST(PoolConnectionsTest, WithoutPreconnectAShardThatIsBackIsConnectedWhenItIsWanted) {
  SessionHarness h;
  h.connections().ConnectAgain(0);
  h.Settle();
  EXPECT_EQ(h.shard("a").connections(), 0u);
}

TEST(PoolConnectionsTest, LendsNoMoreThanMaxLeasesPerShard) {
  SessionHarness h([](PoolConfig& pool) { pool.max_leases = 2; });
  UpstreamConnection* first = h.connections().BeginLease(0, kBase);
  UpstreamConnection* second = h.connections().BeginLease(0, kBase);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_NE(first, second);
  EXPECT_EQ(h.connections().BeginLease(0, kBase), nullptr);
  EXPECT_NE(h.connections().BeginLease(1, kBase), nullptr) << "the other shard has its own";
  EXPECT_EQ(h.stats().leases.Get(), 3);
  h.connections().EndLease(first);
  EXPECT_EQ(h.stats().leases.Get(), 2);
  EXPECT_NE(h.connections().BeginLease(0, kBase), nullptr);
}

TEST(PoolConnectionsTest, AConnectedLeaseIsKeptForTheNextOfItsVersion) {
  SessionHarness h;
  UpstreamConnection* lease = h.connections().BeginLease(0, kBase);
  lease->Connect();
  h.Settle();
  h.connections().EndLease(lease);
  UpstreamConnection* other = h.connections().BeginLease(0, kNewer);
  EXPECT_NE(other, lease);
  EXPECT_EQ(h.connections().BeginLease(0, kBase), lease);
}

TEST(PoolConnectionsTest, KeepsOnlyAFewIdleLeases) {
  SessionHarness h;
  std::vector<UpstreamConnection*> leases;
  for (int i = 0; i < 10; ++i) {
    leases.push_back(h.connections().BeginLease(0, kBase));
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
