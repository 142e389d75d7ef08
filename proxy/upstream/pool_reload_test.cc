// What a reload leaves of a pool's connections, and the order of requests over reloads.
#include "proxy/upstream/pool_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"
#include "proxy/config/snapshot_builder.h"
#include "tests/support/resp.h"
#include "tests/support/scripted_ends.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

using enum ConnectionVariant;

class PoolReloadTest : public testing::Test {
 protected:
  // A request that streams over a lease.
  static constexpr std::string_view kLargeSetBegins =
      "*3\r\n$3\r\nSET\r\n$2\r\na1\r\n$400000\r\nxxx";

  // Only the connections hear of it: sessions go on by the index of the shard.
  void Reload(const std::function<void(PoolConfig&)>& change) {
    auto next = std::make_shared<PoolSnapshot>(pool_ == nullptr ? *h_.context().pool : *pool_);
    change(next->config);
    PoolConnections::ShardCells cells;
    for (size_t i = 0; i < next->shard_count(); ++i) {
      cells.push_back(std::make_shared<ShardStats>());
    }
    pool_ = std::move(next);
    h_.connections().Update(pool_, std::move(cells));
    h_.Settle();
  }
  UpstreamConnection* Shared(uint32_t shard) {
    return &h_.connections().Shared(shard, ConnectionSlot(), kBase);
  }
  // Shard a is served at the addresses of these.
  void MoveTo(const std::vector<std::string>& places) {
    std::vector<Endpoint> endpoints;
    for (const std::string& place : places) {
      endpoints.push_back(UnixEndpoint(h_.AddressOf(place).ToString()));
    }
    Reload([&](PoolConfig& pool) {
      pool.servers[0].endpoint = endpoints[0];
      pool.servers[0].more_endpoints.assign(endpoints.begin() + 1, endpoints.end());
    });
  }
  // Shard a is served where `host` is.
  void Name(std::string_view host) {
    Reload([&](PoolConfig& pool) { pool.servers[0].endpoint = TcpEndpoint(host, 6379); });
  }
  // The same, and that is at the address of shard `place`.
  void NameOf(std::string_view place) {
    Name("first.test");
    h_.connections().SetAddresses(0, {h_.AddressOf(place)});
  }
  // What it sends comes, once pumped, with what happens next.
  FakeClient ClientThatSettlesNothing() {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    h_.AddSession(UniqueFd(fds[0]));
    return FakeClient([] {}, UniqueFd(fds[1]));
  }
  // Until the connections that are done have been looked for.
  void Sweep() { h_.Advance(milliseconds(10)); }

  // Shard a has the first client's SET of a1 alone; its GET comes when that is answered, over a
  // connection with `password`, if there is one.
  void ExpectTheGetBehindTheSet(std::string_view password = "") {
    FakeShard& a = h_.shard("a");
    EXPECT_THAT(a.Received(), ElementsAre("SET a1 old"));
    a.Sends("+OK\r\n");
    Sweep();
    if (!password.empty()) {
      EXPECT_THAT(a.Received(), ElementsAre(StrCat("AUTH ", password)));
      a.Sends("+OK\r\n");
    }
    EXPECT_THAT(a.Received(), ElementsAre("GET a1"));
  }

  // Shard a has the first SET of a1 alone; the next comes when that is answered, and then the GET.
  void ExpectTheNewerSetAndTheGetBehindTheOldOne() {
    FakeShard& a = h_.shard("a");
    Sweep();
    EXPECT_THAT(a.Received(), ElementsAre("SET a1 old"));
    a.Sends("+OK\r\n");
    Sweep();
    EXPECT_THAT(a.Received(), ElementsAre("SET a1 newer"));
    a.Sends("+OK\r\n");
    Sweep();
    EXPECT_THAT(a.Received(), ElementsAre("GET a1"));
    a.Replies("newer");
    EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "OK", "newer"));
    EXPECT_THAT(h_.TakeVerdicts(), IsEmpty());
  }

  SessionHarness h_;
  PoolSnapshotPtr pool_;
};

TEST_F(PoolReloadTest, AnUnchangedShardKeepsItsConnectionsWhateverItsIndex) {
  h_.client().Sends("GET a1", "GET b1");
  UpstreamConnection* const lease = h_.connections().BeginLease(1, kBase);
  UpstreamConnection* const b = Shared(1);
  Reload([](PoolConfig& pool) { pool.servers.erase(pool.servers.begin()); });
  EXPECT_EQ(h_.connections().shard_count(), 1u);
  EXPECT_EQ(Shared(0), b);
  EXPECT_EQ(b->shard(), 0u);
  EXPECT_EQ(lease->shard(), 0u);
  h_.connections().EndLease(lease);
  h_.shard("b").Replies("from b");
  h_.shard("a").Replies("from a");
  EXPECT_THAT(h_.client().Received(), ElementsAre("from a", "from b"));
  EXPECT_TRUE(h_.shard("b").connected());
}

TEST_F(PoolReloadTest, ARemovedShardAnswersWhatIsPendingAndIsThenLeft) {
  h_.client().Sends("GET b1", "GET b2");
  UpstreamConnection* const lease = h_.connections().BeginLease(1, kBase);
  Reload([](PoolConfig& pool) { pool.servers.pop_back(); });
  h_.shard("b").Replies("one");
  Sweep();
  EXPECT_TRUE(h_.shard("b").connected()) << "one reply is missing";
  h_.shard("b").Replies("two");
  EXPECT_THAT(h_.client().Received(), ElementsAre("one", "two"));
  EXPECT_EQ(lease->shard(), kRemovedShard);
  h_.connections().EndLease(lease);
  Sweep();
  EXPECT_FALSE(h_.shard("b").connected());
  EXPECT_EQ(h_.stats().leases.Get(), 0);
  EXPECT_THAT(h_.TakeVerdicts(), IsEmpty());
}

TEST_F(PoolReloadTest, AChangedEndpointIsUsedAtOnceAndTheOldOneAnswersWhatItWasAsked) {
  h_.client().Sends("GET a1");
  Reload([](PoolConfig& pool) { pool.servers[0].endpoint = pool.servers[1].endpoint; });
  h_.client().Sends("GET a2");
  EXPECT_THAT(h_.shard("b").Received(), ElementsAre("GET a2"));
  h_.shard("b").Replies("new");
  h_.shard("a").Replies("old");
  EXPECT_THAT(h_.client().Received(), ElementsAre("old", "new"));
  Sweep();
  EXPECT_FALSE(h_.shard("a").connected());
}

TEST_F(PoolReloadTest, WithAnotherPasswordNoRequestOvertakesTheEarlierOnesOfItsSession) {
  h_.client().Sends("SET a1 old");
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.client().Sends("GET a1");
  Sweep();
  FakeShard& shard = h_.shard("a");
  EXPECT_THAT(shard.Received(), ElementsAre("SET a1 old"));
  EXPECT_EQ(shard.connections(), 1u);
  shard.Sends("+OK\r\n");
  Sweep();
  EXPECT_THAT(shard.Received(), ElementsAre("AUTH secret"));
  EXPECT_FALSE(shard.connected(0));
  shard.Sends("+OK\r\n");
  EXPECT_THAT(shard.Received(), ElementsAre("GET a1"));
  shard.Replies("old");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "old"));
  EXPECT_THAT(h_.TakeVerdicts(), IsEmpty());
}

TEST_F(PoolReloadTest, OrderHoldsOverPasswordsThatChangeFasterThanReplies) {
  h_.client().Sends("SET a1 old");
  // The second connection has nothing to send when the third is wanted.
  Reload([](PoolConfig& pool) { pool.redis_auth = "first"; });
  Reload([](PoolConfig& pool) { pool.redis_auth = "second"; });
  h_.client().Sends("GET a1");
  Reload([](PoolConfig& pool) { pool.redis_auth = ""; });
  h_.client().Sends("GET a2");
  Sweep();
  FakeShard& shard = h_.shard("a");
  EXPECT_THAT(shard.Received(), ElementsAre("SET a1 old"));
  shard.Sends("+OK\r\n");
  Sweep();
  EXPECT_THAT(shard.Received(), ElementsAre("AUTH second"));
  shard.Sends("+OK\r\n");
  EXPECT_THAT(shard.Received(), ElementsAre("GET a1"));
  shard.Replies("old");
  Sweep();
  EXPECT_THAT(shard.Received(), ElementsAre("GET a2"));
  shard.Replies("other");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "old", "other"));
}

TEST_F(PoolReloadTest, WithMoreAddressesNoRequestOvertakesTheEarlierOnesOfItsSession) {
  h_.client().Sends("SET a1 old");
  Reload([](PoolConfig& pool) {
    pool.servers[0].more_endpoints.push_back(pool.servers[0].endpoint);
    pool.servers[0].endpoint = pool.servers[1].endpoint;
  });
  h_.client().Sends("GET a1");
  Sweep();
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("SET a1 old"));
  EXPECT_THAT(h_.shard("b").Received(), IsEmpty());
  h_.shard("a").Sends("+OK\r\n");
  Sweep();
  // Its first address is where b is.
  EXPECT_THAT(h_.shard("b").Received(), ElementsAre("GET a1"));
  EXPECT_FALSE(h_.shard("a").connected());
  h_.shard("b").Replies("old");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "old"));
}

TEST_F(PoolReloadTest, OrderHoldsThoughAnAddressComesAndGoesFasterThanReplies) {
  h_.client().Sends("SET a1 old");
  MoveTo({"b", "a"});
  h_.client().Sends("SET a1 newer");
  // That one waits, and may find nobody at b and go to a.
  MoveTo({"a"});
  h_.client().Sends("GET a1");
  Sweep();
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("SET a1 old"));
  EXPECT_THAT(h_.shard("b").Received(), IsEmpty());
  h_.shard("b").StopsListening();
  h_.shard("a").Sends("+OK\r\n");
  Sweep();
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("SET a1 newer"));
  h_.shard("a").Sends("+OK\r\n");
  Sweep();
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("GET a1"));
  h_.shard("a").Replies("newer");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "OK", "newer"));
}

TEST_F(PoolReloadTest, AShardThatMovesThereAndBackIsAskedNothingBeforeItsEarlierReplies) {
  h_.client().Sends("SET a1 old");
  MoveTo({"b"});
  h_.client().Sends("SET a1 there");
  MoveTo({"a"});
  h_.client().Sends("GET a1");
  Sweep();
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("SET a1 old"));
  // What was asked at b, which may be gone, is waited for by nobody.
  EXPECT_THAT(h_.shard("b").Received(), ElementsAre("SET a1 there"));
  h_.shard("a").Sends("+OK\r\n");
  Sweep();
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("GET a1"));
}

TEST_F(PoolReloadTest, AShardThatGoesAndComesBackIsAskedNothingBeforeItsEarlierReplies) {
  h_.client().Sends("SET a1 old");
  ShardConfig a;
  Reload([&](PoolConfig& pool) {
    a = pool.servers[0];
    pool.servers.erase(pool.servers.begin());
  });
  Reload([&](PoolConfig& pool) { pool.servers.insert(pool.servers.begin(), a); });
  h_.client().Sends("GET a1");
  Sweep();
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, OneThatWaitedForAnEarlierOneAndTimedOutLetsNobodyPastThatOne) {
  h_.client().Sends("SET a1 old");
  Reload([](PoolConfig& pool) {
    pool.redis_auth = "first";
    pool.timeout = absl::Milliseconds(100);
  });
  h_.client(1).Sends("GET a2");
  Reload([](PoolConfig& pool) {
    pool.redis_auth = "second";
    pool.timeout = absl::InfiniteDuration();
  });
  h_.client().Sends("GET a1");
  h_.Advance(milliseconds(100));
  EXPECT_THAT(h_.client(1).Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  Sweep();
  ExpectTheGetBehindTheSet("second");
}

TEST_F(PoolReloadTest, WhatWaitedForAnAddressAtAReloadIsSentWhenThereIsOne) {
  h_.connections().SetAddresses(0, {});
  h_.client().Sends("SET a1 old");
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.client().Sends("GET a1");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.Settle();
  ExpectTheGetBehindTheSet("secret");
}

TEST_F(PoolReloadTest, WhatWaitedForAShardWithoutAnAddressIsSentToTheFirstThatAReloadGivesIt) {
  Reload([](PoolConfig& pool) { pool.servers[0].endpoint = Endpoint(); });
  h_.client().Sends("SET a1 old");
  EXPECT_THAT(h_.shard("a").Received(), IsEmpty());
  MoveTo({"a"});
  h_.client().Sends("GET a1");
  ExpectTheGetBehindTheSet();
  h_.shard("a").Replies("old");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "old"));
  EXPECT_THAT(h_.TakeVerdicts(), IsEmpty());
}

TEST_F(PoolReloadTest, WhatWaitedForAnAddressOverSeveralReloadsIsSentInOrder) {
  Reload([](PoolConfig& pool) { pool.servers[0].endpoint = Endpoint(); });
  h_.client().Sends("SET a1 old");
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.client().Sends("GET a1");
  MoveTo({"a"});
  ExpectTheGetBehindTheSet("secret");
}

TEST_F(PoolReloadTest, WhatWaitedForANameIsSentToTheAddressOfTheNameThatReplacesIt) {
  Name("first.test");
  h_.client().Sends("SET a1 old");
  Name("second.test");
  h_.client().Sends("GET a1");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.Settle();
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, WhatWaitedForAnAddressDoesNotOvertakeWhatIsStillAtTheOneThatComesBack) {
  h_.client().Sends("SET a1 old");
  Reload([](PoolConfig& pool) { pool.servers[0].endpoint = Endpoint(); });
  h_.client().Sends("SET a1 newer");
  MoveTo({"a"});
  h_.client().Sends("GET a1");
  ExpectTheNewerSetAndTheGetBehindTheOldOne();
}

TEST_F(PoolReloadTest, WhatWaitedForANameDoesNotOvertakeWhatIsStillAtItsAddress) {
  h_.client().Sends("SET a1 old");
  Name("first.test");
  h_.client().Sends("SET a1 newer");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.client().Sends("GET a1");
  FakeShard& a = h_.shard("a");
  Sweep();
  EXPECT_THAT(a.Received(), ElementsAre("SET a1 old"));
  a.Sends("+OK\r\n");
  Sweep();
  EXPECT_THAT(a.Received(), ElementsAre("SET a1 newer", "GET a1"));
}

TEST_F(PoolReloadTest, WhatComesWhenANameIsKnownDoesNotOvertakeWhatIsStillAtItsAddress) {
  h_.client().Sends("SET a1 old");
  Name("first.test");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.client().Sends("GET a1");
  Sweep();
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, WhatWaitedForNamesOneAfterTheOtherDoesNotOvertakeWhatIsStillAtTheirAddress) {
  h_.client().Sends("SET a1 old");
  Name("first.test");
  h_.client().Sends("SET a1 newer");
  Name("second.test");
  h_.client().Sends("GET a1");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  ExpectTheNewerSetAndTheGetBehindTheOldOne();
}

TEST_F(PoolReloadTest, AConnectionLostAfterItsShardMovedBackDoesNotOvertakeWhatIsStillThere) {
  h_.client().Sends("SET a1 old");
  NameOf("b");
  h_.client().Sends("SET a1 there");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.shard("b").Sends("+OK\r\n");
  h_.shard("b").ClosesConnection();
  h_.client().Sends("GET a1");
  Sweep();
  ExpectTheGetBehindTheSet();
  h_.shard("a").Replies("old");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK", "OK", "old"));
  EXPECT_THAT(h_.TakeVerdicts(), IsEmpty());
}

TEST_F(PoolReloadTest, WhatIsQueuedInTheMomentOfAnIdleCloseDoesNotOvertakeWhatIsStillThere) {
  FakeClient client = ClientThatSettlesNothing();
  client.Sends("SET a1 old");
  client.Pump();
  h_.Settle();
  NameOf("b");
  h_.client().Sends("GET a2");
  h_.shard("b").Replies("x");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  client.Sends("GET a1");
  client.Pump();
  h_.shard("b").ClosesConnection();
  Sweep();
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, WhatIsTriedAgainAfterItsShardMovedBackDoesNotOvertakeWhatIsStillThere) {
  h_.client().Sends("SET a1 old");
  NameOf("b");
  h_.client(1).Sends("GET a2");
  h_.shard("b").StopsListening();
  h_.connections().SetAddresses(0, {h_.AddressOf("b"), h_.AddressOf("a")});
  h_.shard("b").ClosesConnection();
  h_.client().Sends("GET a1");
  h_.Advance(std::chrono::seconds(2));
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, WhatTakesThePlaceOfOneSetAsideDoesNotOvertakeWhatIsStillAtItsAddress) {
  h_.client().Sends("SET a1 old");
  NameOf("b");
  h_.client(1).Sends("GET a2");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.shard("b").Sends("$5000000\r\n");
  EXPECT_EQ(h_.stats().set_aside.Get(), 1);
  h_.client().Sends("GET a1");
  Sweep();
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, NoLargeRequestOvertakesWhatItsSessionHasExpiredWhereItsShardMovedBack) {
  Reload([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h_.client().Sends("SET a1 old");
  h_.Advance(milliseconds(100));
  EXPECT_THAT(h_.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  NameOf("b");
  h_.client().Sends("GET a2");
  h_.shard("b").Replies("x");
  h_.connections().SetAddresses(0, {h_.AddressOf("a")});
  h_.client().SendsBytes(kLargeSetBegins);
  EXPECT_THAT(h_.client().Received(), ElementsAre("x", StartsWith("-ERR an earlier request")));
  EXPECT_EQ(h_.shard("a").connections(), 1u);
}

TEST_F(PoolReloadTest, AReloadThatRemovesShardsAsksNothingOfTheHealthOfOneThatIsGone) {
  h_.connections().SetAddresses(1, {});
  h_.client().Sends("GET b1");
  // Its name stands for nothing: the connection backs off.
  h_.connections().SetAddresses(1, {});
  h_.Settle();
  EXPECT_THAT(h_.client().Received(), ElementsAre(StartsWith("-ERR")));
  EXPECT_TRUE(Shared(1)->backing_off());
  auto next = std::make_shared<PoolSnapshot>(*h_.context().pool);
  next->config.servers.erase(next->config.servers.begin());
  next->config.servers[0].endpoint = h_.context().pool->config.servers[0].endpoint;
  next->ring = BuildPoolRing(next->config, {true});
  h_.selector().Update(next, next->ring, {true});
  Reload([&](PoolConfig& pool) { pool = next->config; });
  h_.client().Sends("GET b1");
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("GET b1"));
  EXPECT_EQ(h_.shard("a").connections(), 1u);
}

TEST_F(PoolReloadTest, TheAddressInUseCountsThoughItsNameStandsForAnotherMeanwhile) {
  h_.client().Sends("SET a1 old");
  h_.connections().SetAddresses(0, {h_.AddressOf("b")});
  Reload([](PoolConfig& pool) {
    pool.servers[0].more_endpoints.push_back(UnixEndpoint("/nonexistent/socket"));
  });
  h_.client().Sends("GET a1");
  Sweep();
  ExpectTheGetBehindTheSet();
}

TEST_F(PoolReloadTest, WithAnotherPasswordALargeRequestThatTimedOutIsNotLeftToOvertake) {
  Reload([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  const std::string value(300 << 10, 'x');
  h_.client().SendsBytes(
      StrCat("*3\r\n$3\r\nSET\r\n$2\r\na1\r\n$", value.size(), "\r\n", value, "\r\n"));
  h_.Advance(milliseconds(100));
  EXPECT_THAT(h_.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  EXPECT_TRUE(h_.shard("a").connected(0));
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  EXPECT_FALSE(h_.shard("a").connected(0)) << "the shard may not have run it yet";
  h_.client().Sends("SET a1 new");
  h_.shard("a").SendsOn(1, "+OK\r\n");  // AUTH
  h_.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK"));
  EXPECT_EQ(h_.stats().leases.Get(), 0);
}

TEST_F(PoolReloadTest, ALargeRequestThatTimesOutAfterAReloadIsNotLeftToOvertakeEither) {
  Reload([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  const std::string value(300 << 10, 'x');
  h_.client().SendsBytes(
      StrCat("*3\r\n$3\r\nSET\r\n$2\r\na1\r\n$", value.size(), "\r\n", value, "\r\n"));
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.Advance(milliseconds(100));
  EXPECT_THAT(h_.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  h_.client().Sends("SET a1 new");
  EXPECT_FALSE(h_.shard("a").connected(0)) << "the shard may not have run it yet";
  h_.shard("a").SendsOn(1, "+OK\r\n");  // AUTH
  h_.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h_.client().Received(), ElementsAre("OK"));
}

TEST_F(PoolReloadTest, WithAnotherPasswordNoRequestOvertakesWhatIsBehindALargeReply) {
  h_.client(0).Sends("GET a1");
  h_.client(1).Sends("SET a2 old");
  FakeShard& shard = h_.shard("a");
  shard.Received();
  shard.Sends("$5000000\r\n");
  h_.client(2).Sends("GET a3");
  EXPECT_THAT(shard.ReceivedByConnection(), ElementsAre(Pair(1, "GET a3")));
  EXPECT_EQ(h_.stats().set_aside.Get(), 1);
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  EXPECT_EQ(h_.stats().set_aside.Get(), 0) << "it is on its way out";
  h_.client(1).Sends("SET a2 new");
  shard.SendsOn(1, EncodeBulk("3"));
  Sweep();
  EXPECT_THAT(shard.Received(), IsEmpty()) << "the first SET is not answered yet";
  shard.SendsOn(0, std::string(5'000'000, 'x') + "\r\n+OK\r\n");
  Sweep();
  EXPECT_THAT(shard.ReceivedByConnection(), ElementsAre(Pair(2, "AUTH secret")));
}

TEST_F(PoolReloadTest, AnUnchangedShardKeepsWhatItHasSetAside) {
  h_.client().Sends("GET b1");
  h_.shard("b").Sends("$5000000\r\n");
  UpstreamConnection* const fresh = Shared(1);
  Reload([](PoolConfig& pool) { pool.servers.erase(pool.servers.begin()); });
  EXPECT_EQ(Shared(0), fresh);
  h_.shard("b").Sends(std::string(5'000'000, 'x') + "\r\n");
  EXPECT_THAT(h_.client().Received(), ElementsAre(testing::SizeIs(5'000'000)));
  Sweep();
  EXPECT_EQ(h_.shard_stats("b").server_connections.Get(), 1) << "kept for the next lease";
}

TEST_F(PoolReloadTest, WhatTimedOutLongAgoKeepsNoLargeRequestFromALease) {
  Reload([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h_.client(0).Sends("SET a1 old");
  h_.Advance(milliseconds(100));
  h_.shard("a").Sends("+late\r\n");
  h_.client(0).Sends("GET b1");
  h_.shard("b").Replies("b");
  EXPECT_THAT(h_.client(0).Received(), ElementsAre(StartsWith("-ERR Connection timed out"), "b"));
  h_.client(1).Sends("GET a2");
  h_.shard("a").Received();
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  // The shared connection waits for the other session's reply on the one before.
  h_.client(0).SendsBytes(kLargeSetBegins);
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("AUTH secret"));
  EXPECT_THAT(h_.client(0).Received(), IsEmpty());
}

TEST_F(PoolReloadTest, WhatOthersHaveExpiredAndPendingKeepsNoLargeRequestFromALease) {
  Reload([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h_.client(0).Sends("SET a1 old");
  h_.client(1).Sends("GET b1");
  h_.Advance(milliseconds(100));
  EXPECT_THAT(h_.client(0).Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  h_.shard("a").Sends("+late\r\n");
  h_.client(2).Sends("GET a2");
  h_.shard("a").Received();
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.client(2).Sends("GET a2");
  EXPECT_TRUE(Shared(0)->held()) << "behind the first GET of the third client";
  h_.client(0).SendsBytes(kLargeSetBegins);
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("AUTH secret"));
  EXPECT_THAT(h_.client(0).Received(), IsEmpty());
}

TEST_F(PoolReloadTest, NoLargeRequestOvertakesWhatItsSessionHasExpiredBeforeAReload) {
  Reload([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h_.client().Sends("SET a1 old");
  h_.Advance(milliseconds(100));
  EXPECT_THAT(h_.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.client().SendsBytes(kLargeSetBegins);
  EXPECT_THAT(h_.client().Received(), ElementsAre(StartsWith("-ERR an earlier request")));
  EXPECT_EQ(h_.shard("a").connections(), 1u);
}

TEST_F(PoolReloadTest, WithAnotherPasswordAQuietSessionWaitsForNobody) {
  h_.client().Sends("GET a1");
  h_.shard("a").Replies("x");
  h_.shard("a").Received();
  Reload([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h_.client().Sends("GET a1");
  EXPECT_THAT(h_.shard("a").Received(), ElementsAre("AUTH secret"));
}

}  // namespace
}  // namespace weir
