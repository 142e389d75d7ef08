// Large requests and replies travel on leases: nobody else waits for them, and the process stays
// small. Transcripts over the whole in-process data plane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/base/strings.h"
#include "proxy/downstream/session.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;

constexpr size_t kLarge = 1'000'000;  // more than large_request

std::string SetHeader(std::string_view key, size_t size) {
  return StrCat("*3\r\n$3\r\nSET\r\n$", key.size(), "\r\n", key, "\r\n$", size, "\r\n");
}

TEST(LeaseTest, ALargeSetStreamsOverAConnectionOfItsOwn) {
  SessionHarness h;
  h.client(1).Sends("GET a1");
  h.client(0).SendsBytes(SetHeader("a2", kLarge) + std::string(1000, 'x'));
  EXPECT_EQ(h.shard("a").connections(), 2u);
  EXPECT_EQ(h.stats().leases.Get(), 1);
  h.client(0).SendsBytes(std::string(kLarge - 1000, 'x') + "\r\n");
  EXPECT_EQ(h.stats().requests.Get(), 2u);
  EXPECT_EQ(h.sessions(), 2u);
}

TEST(LeaseTest, AClientThatStallsInALargeSetDelaysNobodyElse) {
  SessionHarness h;
  h.shard("a").Answers([](const auto& args) { return EncodeBulk(args[1]); });
  h.client(0).SendsBytes(SetHeader("a1", kLarge) + std::string(70'000, 'x'));
  h.client(1).Sends("GET a2");
  EXPECT_THAT(h.client(1).Received(), ElementsAre("a2"));
  EXPECT_THAT(h.client(0).Received(), IsEmpty());
}

TEST(LeaseTest, TheReplyOfALargeSetEndsTheLease) {
  SessionHarness h;
  h.shard("a").Answers([](const auto&) { return "+OK\r\n"; });
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
  h.client().Sends("GET a1");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
}

TEST(LeaseTest, RequestsBehindALargeSetWaitForItsReply) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n" +
                        FakeClient::Encode("GET a1"));
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
  h.shard("a").Replies("stored");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.shard("a").Replies("value");
  EXPECT_THAT(h.client().Received(), ElementsAre("stored", "value"));
}

TEST(LeaseTest, ALargeSetWaitsForTheRepliesBeforeIt) {
  SessionHarness h;
  h.client().Sends("GET a1");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  h.shard("a").Replies("before");
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
  h.shard("a").Replies("stored");
  EXPECT_THAT(h.client().Received(), ElementsAre("before", "stored"));
}

TEST(LeaseTest, AShardThatFailsInALargeSetCostsAnErrorAndTheRestOfTheValueIsSwallowed) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.shard("a").ClosesConnection();
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection reset by peer")));
  h.client().SendsBytes(std::string(kLarge - 300'000, 'x') + "\r\n");
  h.client().Sends("GET b1");
  h.shard("b").Replies("b");
  EXPECT_THAT(h.client().Received(), ElementsAre("b"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, AClientThatLeavesInALargeSetTakesItsConnectionWithIt) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.client().Leaves();
  EXPECT_EQ(h.sessions(), 0u);
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.requests().in_use(), 0u);
  EXPECT_EQ(h.shard_stats("a").server_connections.Get(), 0);
}

TEST(LeaseTest, AnEarlyErrorToALargeSetNeverLeavesHalfARequestOnAKeptConnection) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.shard("a").Sends("-OOM command not allowed\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-OOM")));
  h.client().SendsBytes(std::string(kLarge - 300'000, 'x') + "\r\n");
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.shard_stats("a").server_connections.Get(), 0);
}

TEST(LeaseTest, WithoutALeaseToBeHadALargeSetIsRefusedAndTheSessionGoesOn) {
  SessionHarness h([](PoolConfig& pool) { pool.max_leases = 1; });
  h.client(0).SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.client(1).SendsBytes(SetHeader("a2", kLarge) + std::string(kLarge, 'x') + "\r\n");
  EXPECT_THAT(h.client(1).Received(), ElementsAre(StartsWith("-ERR too many large")));
  h.client(1).Sends("GET b1");
  h.shard("b").Replies("b");
  EXPECT_THAT(h.client(1).Received(), ElementsAre("b"));
}

TEST(LeaseTest, ALargeRequestThatMustBeGatheredIsRefusedBeyondMaxRequest) {
  SessionHarness h([](PoolConfig& pool) { pool.max_request = 500'000; });
  h.client().SendsBytes(
      StrCat("*5\r\n$4\r\nMSET\r\n$2\r\na1\r\n$1\r\nx\r\n$2\r\nb1\r\n$", kLarge, "\r\nx"));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR the request is larger")));
  EXPECT_TRUE(h.client().disconnected());
}

// A large value as an MSET or a transaction has it: gathered before it is sent.
std::string Mset(std::string_view large_key, std::string_view other_key) {
  return FakeClient::Encode(
      StrCat("MSET ", large_key, " ", std::string(kLarge, 'x'), " ", other_key, " y"));
}

TEST(LeaseTest, ALargeMsetToOneShardKeepsNobodyWaiting) {
  SessionHarness h;
  h.client(1).Sends("GET a1");
  h.shard("a").StopsReading();
  h.client(0).SendsBytes(Mset("a2", "a3"));
  EXPECT_EQ(h.stats().leases.Get(), 1);
  EXPECT_EQ(h.shard("a").connections(), 2u);
  h.shard("a").ReadsOn();
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(0, "GET a1"), Pair(1, StartsWith("MSET a2"))));
  h.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("OK"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, ALargeMsetOverSeveralShardsKeepsNobodyWaiting) {
  SessionHarness h;
  const std::string large(kLarge, 'x');
  h.client(1).Sends("GET a1", "GET b1");
  h.client(0).SendsBytes(FakeClient::Encode(StrCat("MSET a2 ", large, " b2 ", large)));
  EXPECT_EQ(h.stats().leases.Get(), 2);
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(0, "GET a1"), Pair(1, StartsWith("MSET a2"))));
  EXPECT_THAT(h.shard("b").ReceivedByConnection(),
              ElementsAre(Pair(0, "GET b1"), Pair(1, StartsWith("MSET b2"))));
  h.client(0).Sends("GET a2");
  h.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty()) << "what is behind waits for all of it";
  h.shard("b").SendsOn(1, "+OK\r\n");
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "GET a2")));
  EXPECT_THAT(h.client(0).Received(), ElementsAre("OK"));
  EXPECT_EQ(h.requests().in_use(), 3u);
}

TEST(LeaseTest, WhatAShardHasNotTakenOfALargeMsetCountsAsHeld) {
  SessionHarness h;
  h.client().SendsBytes(Mset("a1", "a2"));
  h.shard("a").Sends("+OK\r\n");
  // The lease is used again, by a fragment that stays in the proxy.
  h.shard("a").StopsReading();
  h.client().SendsBytes(
      FakeClient::Encode(StrCat("MSET a1 ", std::string(3 * kLarge, 'x'), " b1 y")));
  EXPECT_GT(h.session(0).held(), 2 * kLarge);
}

TEST(LeaseTest, OnlyTheLargeFragmentOfAnMsetHasALease) {
  SessionHarness h;
  h.client(0).SendsBytes(Mset("a1", "b1"));
  h.client(1).Sends("GET b2");
  EXPECT_EQ(h.stats().leases.Get(), 1);
  EXPECT_THAT(h.shard("b").ReceivedByConnection(),
              ElementsAre(Pair(0, "MSET b1 y"), Pair(0, "GET b2")));
}

TEST(LeaseTest, ALargeMsetWaitsForTheRepliesBeforeIt) {
  SessionHarness h;
  h.client().Sends("SET a1 v1");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("SET a1 v1"));
  h.client().SendsBytes(Mset("a1", "b1"));
  EXPECT_THAT(h.shard("b").Received(), IsEmpty());
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, StartsWith("MSET a1"))));
}

TEST(LeaseTest, WithoutALeaseToBeHadALargeMsetFailsForThatShard) {
  SessionHarness h([](PoolConfig& pool) { pool.max_leases = 1; });
  h.client(0).SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.client(1).SendsBytes(Mset("a2", "b2"));
  h.shard("b").Sends("+OK\r\n");
  EXPECT_THAT(h.client(1).Received(),
              ElementsAre(StartsWith("-ERR 1 of 2 shards failed (a: too many large")));
}

TEST(LeaseTest, WhatFollowsALargeMsetThatTimedOutStaysBehindIt) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h.client().SendsBytes(Mset("a1", "b1"));
  h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR 2 of 2 shards failed")));
  h.shard("a").Received();
  h.client().Sends("SET a1 v2");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "SET a1 v2")));
  h.shard("a").SendsOn(0, "+late\r\n+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, ALargeTransactionKeepsNobodyWaiting) {
  SessionHarness h;
  h.client(1).Sends("GET a1");
  h.client(0).Sends("GET a2", "MULTI");
  h.client(0).SendsBytes(FakeClient::Encode(StrCat("SET a2 ", std::string(kLarge, 'x'))));
  h.client(0).Sends("EXEC", "GET a3");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1", "GET a2"));
  h.shard("a").SendsOn(0, "$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(1, "MULTI"), Pair(1, StartsWith("SET a2")), Pair(1, "EXEC")));
  h.shard("a").SendsOn(1, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("2", "OK", "QUEUED", "[OK]"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "GET a3")));
}

TEST(LeaseTest, ARequestOfSixteenKibibytesPaysForNoLease) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", 16384) + std::string(16384, 'x') + "\r\n");
  EXPECT_EQ(h.stats().leases_total.Get(), 0u);
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
}

TEST(LeaseTest, BrokenProtocolInALargeSetIsAnsweredAndEndsTheSession) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.client().SendsBytes(std::string(kLarge - 300'000, 'x') + "no line end");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("-ERR Protocol error: expected CRLF after bulk string"));
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_EQ(h.stats().protocol_errors.Get(), 1u);
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.shard_stats("a").server_connections.Get(), 0) << "half a request is on it";
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty());
}

TEST(LeaseTest, AnArgumentThatIsNoBulkStringInALargeRequestIsRefused) {
  SessionHarness h;
  h.client().SendsBytes(
      StrCat("*5\r\n$3\r\nSET\r\n$2\r\na1\r\n$", kLarge, "\r\n", std::string(kLarge, 'x'), "\r\n"));
  EXPECT_EQ(h.stats().leases.Get(), 1);
  h.client().SendsBytes(":60\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("-ERR Protocol error: expected '$', got ':'"));
  EXPECT_TRUE(h.client().disconnected());
}

TEST(LeaseTest, BrokenProtocolAfterAnEarlyErrorToALargeSetIsAnsweredToo) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.shard("a").Sends("-OOM command not allowed\r\n");
  h.client().SendsBytes(std::string(kLarge - 300'000, 'x') + "no line end");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-OOM"), StartsWith("-ERR Protocol error")));
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, AReplyThatDoesNotFitIsReadAtItsClientsPaceWhenNobodyElseWaits) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 4 << 20; });
  h.client(0).StopsReading();
  h.client(0).Sends("GET a1");
  const size_t size = 20 << 20;
  h.shard("a").Sends(StrCat("$", size, "\r\n", std::string(size, 'x'), "\r\n"));
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_LE(h.chunks().bytes_in_use(), 2u << 20);
  EXPECT_EQ(h.stats().leases.Get(), 1);
  // Others go over a fresh connection meanwhile.
  h.client(1).Sends("GET a2");
  EXPECT_EQ(h.shard("a").connections(), 2u);
  h.client(0).ReadsOn();
  EXPECT_THAT(h.client(0).Received(), ElementsAre(SizeIs(size)));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, ASessionWhoseRepliesAreLargeGetsALeaseForTheNext) {
  SessionHarness h;
  const std::string large = EncodeBulk(std::string(2 << 20, 'x'));
  h.client().Sends("GET a1");
  h.shard("a").Sends(large);
  EXPECT_THAT(h.client().Received(), SizeIs(1));
  EXPECT_EQ(h.stats().leases_total.Get(), 0u);
  h.client().Sends("GET a1");
  EXPECT_EQ(h.stats().leases.Get(), 1);
}

TEST(LeaseTest, ASlowUploadIsNoSilenceOfItsShardAndItsDeadlineStartsWithItsLastByte) {
  SessionHarness h([](PoolConfig& pool) {
    pool.timeout = absl::Milliseconds(100);
    pool.shard_silence_limit = absl::Seconds(1);
  });
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  for (int i = 0; i < 7; ++i) {
    h.Advance(std::chrono::seconds(5));
    h.client().SendsBytes(std::string(100'000, 'x'));
  }
  h.Advance(std::chrono::seconds(5));
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.client().SendsBytes("\r\n");
  h.Advance(std::chrono::milliseconds(99));
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.Advance(std::chrono::milliseconds(1));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
}

TEST(LeaseTest, AHalfReceivedRequestThatDoesNotMoveEndsItsSession) {
  SessionHarness h;
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(300'000, 'x'));
  h.session(0).CheckProgress(std::chrono::seconds(30));
  h.Advance(std::chrono::seconds(29));
  h.session(0).CheckProgress(std::chrono::seconds(30));
  EXPECT_EQ(h.sessions(), 1u);
  h.Advance(std::chrono::seconds(2));
  h.session(0).CheckProgress(std::chrono::seconds(30));
  h.Settle();
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_EQ(h.stats().closed_by_progress_limit.Get(), 1u);
}

// --- What has expired on a lease ---

void ShortDeadline(PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); }

// A large SET of the first client reaches shard "a" and times out there.
void LargeSetTimesOut(SessionHarness& h) {
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n");
  h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, StartsWith("SET a1"))));
}

TEST(LeaseTest, AnAcknowledgedWriteIsNotLostToALargeOneThatTimedOutBefore) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().Sends("SET a1 v2");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "SET a1 v2")));
  h.shard("a").SendsOn(0, "+late\r\n");
  EXPECT_THAT(h.client().Received(), IsEmpty());
  EXPECT_EQ(h.stats().leases.Get(), 1);
  h.shard("a").SendsOn(0, "+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  h.client().Sends("GET a1");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "GET a1")));
}

TEST(LeaseTest, WhatFollowsALargeSetThatTimedOutHasDeadlinesOfItsOwn) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().Sends("GET a1", "GET b1");
  h.Advance(std::chrono::milliseconds(99));
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.shard("b").Replies("b");
  h.Advance(std::chrono::milliseconds(1));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out"), "b"));
  h.shard("a").SendsOn(0, "+late\r\n$4\r\nlate\r\n");
  EXPECT_THAT(h.client().Received(), IsEmpty());
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.requests().in_use(), 0u);
}

TEST(LeaseTest, TheLateReplyOfALargeSetEndsTheLeaseOfAnIdleSession) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  EXPECT_EQ(h.stats().leases.Get(), 1);
  h.shard("a").SendsOn(0, "+late\r\n");
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_TRUE(h.shard("a").connected(0)) << "it is kept for the next lease";
}

TEST(LeaseTest, WhatWaitsBehindALateReplyIsNotOvertakenWhenThatHasCome) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().Sends("SET a1 v2");
  h.shard("a").SendsOn(0, "+late\r\n");
  h.client().Sends("GET b1");
  h.client().Sends("GET a1");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(0, "SET a1 v2"), Pair(0, "GET a1")));
}

TEST(LeaseTest, ASessionThatLeavesBeforeTheLateReplyTakesTheConnectionWithIt) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().Leaves();
  EXPECT_FALSE(h.shard("a").connected(0));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.requests().in_use(), 0u);
}

TEST(LeaseTest, AShardThatClosesBeforeTheLateReplyEndsTheLease) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().Sends("GET a1");
  h.shard("a").ClosesConnection(0);
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection reset by peer")));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, ALargeSetFollowsOneThatTimedOut) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'y') + "\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, StartsWith("SET a1 y"))));
  h.shard("a").SendsOn(0, "+late\r\n+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LeaseTest, ALargeSetToAnotherShardNeedNotWaitForOneThatTimedOut) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().SendsBytes(SetHeader("b1", kLarge) + std::string(kLarge, 'y') + "\r\n");
  EXPECT_EQ(h.stats().leases.Get(), 2);
  h.shard("b").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_EQ(h.stats().leases.Get(), 1);
}

TEST(LeaseTest, ASessionThatAlwaysAsksGivesTheLeaseBackAfterTheLateReply) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().Sends("GET a1", "GET a2");
  h.shard("a").SendsOn(0, "+late\r\n");
  h.client().Sends("GET a3", "GET a4");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(0, "GET a1"), Pair(0, "GET a2"), Pair(0, "GET a3")));
  h.shard("a").SendsOn(0, "+1\r\n+2\r\n+3\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "GET a4")));
}

TEST(LeaseTest, ALargeSetThatIsRefusedBehindWhatTimedOutLeavesThatInItsPlace) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  for (uint32_t i = 1; i < UpstreamConnection::kMaxSuspectRequests; ++i) h.client().Sends("GET a1");
  for (int i = 0; i < 40; ++i) h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.client().Received(), SizeIs(UpstreamConnection::kMaxSuspectRequests - 1));
  h.shard("a").Received();
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'y') + "\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR shard a does not answer")));
  EXPECT_TRUE(h.shard("a").connected(0));
  h.shard("a").SendsOn(0, "+late\r\n");
  h.client().Sends("SET a1 v2");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "SET a1 v2")));
}

TEST(LeaseTest, ALargeReplyBehindALateOneIsReadAtItsClientsPace) {
  SessionHarness h(ShortDeadline);
  LargeSetTimesOut(h);
  h.client().StopsReading();
  h.client().Sends("GET a1");
  const size_t size = 40 << 20;
  h.shard("a").SendsOn(0, StrCat("+late\r\n$", size, "\r\n", std::string(size, 'x'), "\r\n"));
  EXPECT_LE(h.chunks().bytes_in_use(), 2u << 20);
  h.client().ReadsOn();
  EXPECT_THAT(h.client().Received(), ElementsAre(SizeIs(size)));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

// --- What has expired on a shared connection ---

TEST(LeaseTest, ALargeSetNeverOvertakesASmallWriteThatTimedOut) {
  SessionHarness h(ShortDeadline);
  h.client().Sends("SET a1 v1");
  h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("SET a1 v1"));
  // It could only wait, and what streams cannot.
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(1000, 'x'));
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR an earlier request of this connection timed out")));
  h.client().SendsBytes(std::string(kLarge - 1000, 'x') + "\r\n");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  h.shard("a").SendsOn(0, "+late\r\n");
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, StartsWith("SET a1"))));
  h.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
}

TEST(LeaseTest, NorWhenItsSessionHasAskedAnotherShardMeanwhile) {
  SessionHarness h(ShortDeadline);
  h.client().Sends("SET a1 v1");
  h.Advance(std::chrono::milliseconds(100));
  h.client().Sends("GET b1");
  h.shard("b").Replies("b");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out"), "b"));
  h.client().SendsBytes(SetHeader("a1", kLarge) + std::string(1000, 'x'));
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR an earlier request of this connection timed out")));
}

TEST(LeaseTest, ARequestThatWouldHaveALeaseFollowsASmallWriteThatTimedOut) {
  SessionHarness h(ShortDeadline);
  h.client().Sends("GET a1", "SET a1 v1");
  h.shard("a").Sends(EncodeBulk(std::string(2 << 20, 'x')));
  h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.client().Received(),
              ElementsAre(SizeIs(2 << 20), StartsWith("-ERR Connection timed out")));
  h.shard("a").Received();
  ASSERT_TRUE(h.session(0).WantsLease(""));
  h.client().Sends("SET a1 v2");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "SET a1 v2")));
  EXPECT_EQ(h.stats().leases_total.Get(), 0u);
}

TEST(LeaseTest, AnotherSessionsTimeoutRefusesNoLargeSet) {
  SessionHarness h(ShortDeadline);
  h.client(1).Sends("SET a1 v1");
  h.Advance(std::chrono::milliseconds(100));
  h.client(0).SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(0, "SET a1 v1"), Pair(1, StartsWith("SET a1"))));
}

// A request of the client to shard "a" has timed out, and its late reply has come.
void ASmallSetTimedOutLongAgo(SessionHarness& h, size_t client) {
  h.client(client).Sends("SET a1 v1");
  h.Advance(std::chrono::milliseconds(100));
  h.shard("a").SendsOn(0, "+late\r\n");
  EXPECT_THAT(h.client(client).Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  h.shard("a").Received();
}

TEST(LeaseTest, NeitherDoesItRefuseTheLargeSetOfASessionWhoseOwnTimeoutIsOver) {
  SessionHarness h(ShortDeadline);
  ASmallSetTimedOutLongAgo(h, 0);
  h.client(1).Sends("SET a1 v2");
  h.Advance(std::chrono::milliseconds(100));
  h.client(0).SendsBytes(SetHeader("a1", kLarge) + std::string(kLarge, 'x') + "\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(0, "SET a1 v2"), Pair(1, StartsWith("SET a1"))));
}

TEST(LeaseTest, NorAnythingOfASessionThatChangedTheVariantAfterItsOwnTimeout) {
  SessionHarness h(ShortDeadline);
  h.client(0).Sends("SET a1 v1");
  h.Advance(std::chrono::milliseconds(100));
  h.client(0).Sends("HELLO 3", "GET b1");
  h.shard("a").SendsOn(0, "+late\r\n");
  h.client(1).Sends("SET a1 v2");
  h.Advance(std::chrono::milliseconds(100));
  h.client(0).Received();
  h.shard("a").Received();
  h.client(0).Sends("GET a1");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "HELLO 3")));
}

}  // namespace
}  // namespace weir
