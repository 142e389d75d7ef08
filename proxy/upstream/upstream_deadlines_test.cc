// Requests that wait too long, and shards that say nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/base/strings.h"
#include "tests/support/upstream_connection_harness.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// --- Deadlines ---

using UpstreamDeadlinesTest = UpstreamConnectionHarness;

TEST_F(UpstreamDeadlinesTest, AnExpiredRequestFailsAtOnceAndItsLateReplyGoesToNobody) {
  settings_.timeout = milliseconds(100);
  Send("1", "GET x");
  Advance(milliseconds(50));
  Send("2", "GET y");
  Advance(milliseconds(50));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out"));
  shard_.Sends("$1\r\nX\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 released"));
  shard_.Sends("$1\r\nY\r\n");
  EXPECT_THAT(Events(), ElementsAre("2 Y"));
  EXPECT_EQ(shard_.connections(), 1u);
  EXPECT_EQ(pool_stats_.late_replies_discarded.Get(), 1u);
}

TEST_F(UpstreamDeadlinesTest, ALateReplyInPiecesIsDiscardedWhole) {
  settings_.timeout = milliseconds(100);
  Send("1", "GET x");
  shard_.Sends("$6\r\nfi");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out"));
  Send("2", "GET y");
  shard_.Sends("rst!\r");
  EXPECT_THAT(Events(), IsEmpty());
  shard_.Sends("\n$1\r\nY\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 released", "2 Y"));
}

TEST_F(UpstreamDeadlinesTest, ARequestThatExpiresWhileItWaitsForTheConnectionIsNeverWritten) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  settings_.login.auth = "secret";
  Send("1", "GET x");
  Advance(milliseconds(60));
  Send("2", "GET y");
  Advance(milliseconds(40));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out unsent"));
  EXPECT_THAT(Verdicts(), IsEmpty()) << "waiting in the proxy is nobody's failure";
  shard_.Received();
  shard_.Sends("+OK\r\n");
  EXPECT_THAT(shard_.Received(), ElementsAre("GET y"));
  shard_.Sends("$1\r\nY\r\n");
  EXPECT_THAT(Events(), ElementsAre("2 Y"));
}

TEST_F(UpstreamDeadlinesTest, ARequestThatExpiresBehindAFullSocketIsNeverWritten) {
  settings_.timeout = milliseconds(100);
  SendMoreThanTheSocketTakes("1");
  Send("2", "GET y");
  Send("3", "GET z");
  Advance(milliseconds(60));
  Send("4", "GET last");
  const size_t unsent = connection().unsent();
  Advance(milliseconds(40));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out", "2 failed: timed out unsent",
                                    "3 failed: timed out unsent"));
  EXPECT_EQ(connection().unsent(), unsent - 2 * FakeClient::Encode("GET y").size());
  shard_.ReadsOn();
  EXPECT_THAT(shard_.Received(), ElementsAre(testing::StartsWith("SET x"), "GET last"));
  shard_.Sends("+OK\r\n$1\r\nL\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 released", "4 L"));
  EXPECT_EQ(pool_stats_.timeouts_queued.Get(), 2u);
  EXPECT_EQ(pool_stats_.timeouts_pending.Get(), 1u);
}

TEST_F(UpstreamDeadlinesTest, ManyRequestsThatExpireBehindAFullSocketLeaveAtOnce) {
  settings_.timeout = milliseconds(100);
  SendMoreThanTheSocketTakes("large");
  for (int i = 0; i < 10'000; ++i) Queue("small", "GET y");
  Advance(milliseconds(50));
  Send("last", "GET last");
  Events();
  Advance(milliseconds(50));
  EXPECT_THAT(Events(), SizeIs(10'001));
  EXPECT_EQ(connection().pending(), 2u);
  shard_.Received();
  shard_.ReadsOn();
  EXPECT_THAT(shard_.Received(), ElementsAre(testing::StartsWith("SET x"), "GET last"));
  shard_.Sends("+OK\r\n$1\r\nL\r\n");
  EXPECT_THAT(Events(), ElementsAre("large released", "last L"));
}

TEST_F(UpstreamDeadlinesTest, WhatWasDroppedIsNotTakenForWritten) {
  settings_.timeout = milliseconds(100);
  SendMoreThanTheSocketTakes("1");
  Send("2", StrCat("SET y ", std::string(2'000'000, 'y')));
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out", "2 failed: timed out unsent"));
  shard_.Sends("+OK\r\n");
  EXPECT_FALSE(connection().ready()) << "the first request is not written yet";
  EXPECT_EQ(pool_stats_.late_replies_discarded.Get(), 0u);
}

TEST_F(UpstreamDeadlinesTest, ARequestSentWhileEarlierOnesAreExpiredHasItsOwnDeadline) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  Send("1", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out"));
  // The timer now waits for the silence limit, 900 ms away.
  Send("2", "GET y");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("2 failed: timed out"));
}

TEST_F(UpstreamDeadlinesTest, ARequestThatStartsAConnectKeepsItsOwnDeadline) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  settings_.login.auth = "secret";
  Send("1", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out unsent"));
}

TEST_F(UpstreamDeadlinesTest, AReplyThatHasBegunToPassHasNoDeadlineButTheSilenceLimit) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  sink_.pass_on = true;
  Send("1", "GET x");
  Send("2", "GET y");
  Advance(milliseconds(1));
  shard_.Sends("$20\r\nten bytes ");
  Advance(milliseconds(99));
  EXPECT_THAT(Events(), ElementsAre("2 failed: timed out"));
  EXPECT_THAT(Verdicts(), IsEmpty()) << "something came since it was written";
  Advance(milliseconds(800));
  shard_.Sends("more");
  Advance(milliseconds(999));
  EXPECT_THAT(Events(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(Events(), ElementsAre("1 failed: silent", "2 released"));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
  EXPECT_FALSE(shard_.connected());
}

// --- Silence ---

TEST_F(UpstreamDeadlinesTest, ASilenceIsCountedOnceHoweverManyRequestsExpire) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(10'000);
  for (int i = 0; i < 5; ++i) {
    Send(StrCat(i), "GET x");
    Advance(milliseconds(50));
  }
  Advance(milliseconds(200));
  EXPECT_THAT(Events(), SizeIs(5));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
  shard_.Sends("$1\r\nx\r\n");
  EXPECT_THAT(Verdicts(), ElementsAre("success"));
  // The next silence is another one.
  Send("6", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
}

TEST_F(UpstreamDeadlinesTest, SlowCommandsAreNoSilenceWhileRepliesCome) {
  settings_.timeout = milliseconds(100);
  Send("1", "GET x");
  Send("2", "EVAL slow 1 x");
  Send("3", "EVAL slow 1 x");
  Advance(milliseconds(10));
  shard_.Sends("$1\r\nX\r\n");
  Advance(milliseconds(90));
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: timed out", "3 failed: timed out"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamDeadlinesTest, BeyondTheSilenceLimitEverythingFailsOnceAndTheConnectionCloses) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  Send("1", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
  Advance(milliseconds(850));
  Send("2", "GET y");
  Advance(milliseconds(50));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out", "1 released", "2 failed: silent"));
  EXPECT_FALSE(shard_.connected());
  EXPECT_THAT(Verdicts(), IsEmpty()) << "it is still the same silence";
}

TEST_F(UpstreamDeadlinesTest, WithoutATimeoutTheSilenceLimitAloneEndsAHungShard) {
  settings_.silence_limit = milliseconds(30'000);
  Send("1", "GET x");
  Advance(milliseconds(29'999));
  EXPECT_THAT(Events(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(Events(), ElementsAre("1 failed: silent"));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
  EXPECT_EQ(stats_.server_timedout.Get(), 1);
  EXPECT_EQ(stats_.server_err.Get(), 0);
}

TEST_F(UpstreamDeadlinesTest, AShardThatTakesALargeRequestSlowlyIsNotSilent) {
  settings_.timeout = milliseconds(950);
  settings_.silence_limit = milliseconds(1000);
  SendMoreThanTheSocketTakes("1");
  Advance(milliseconds(900));
  shard_.ReadsOn();
  Advance(milliseconds(50));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out"));
  EXPECT_THAT(Verdicts(), IsEmpty());
  Advance(milliseconds(949));
  EXPECT_TRUE(connection().ready());
  Advance(milliseconds(1));
  EXPECT_FALSE(connection().ready()) << "everything was taken, and no reply came";
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
}

TEST_F(UpstreamDeadlinesTest, WhileMemoryIsScarceAShardThatDoesNotReadQueuesLittle) {
  SendMoreThanTheSocketTakes("1");
  EXPECT_EQ(Send("2", "GET y"), std::nullopt) << "it may";
  chunks_.SetScarce(true);
  EXPECT_EQ(Send("3", "GET y"), Failure::kOverloaded);
  shard_.ReadsOn();
  Settle();
  EXPECT_EQ(Send("4", "GET y"), std::nullopt);
  chunks_.SetScarce(false);
}

TEST_F(UpstreamDeadlinesTest, AShardThatHangsDuringAnUploadIsSilent) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  SendBeginning("1", "SET x y");
  Fragment& upload = last_fragment();
  // It is the client that takes its time.
  Advance(milliseconds(5500));
  shard_.StopsReading();
  connection().SendMore(&upload, std::string(1'000'000, 'x'), /*last=*/false);
  Settle();
  EXPECT_GT(connection().unsent(), 0u);
  Advance(milliseconds(500));
  // Adds nothing to its patience.
  connection().SendMore(&upload, "more", /*last=*/false);
  Advance(milliseconds(499));
  EXPECT_THAT(Events(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(Events(), ElementsAre("1 failed: silent"));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
}

TEST_F(UpstreamDeadlinesTest, WhatAHungShardsSocketTakesAtOnceIsNoSignOfLife) {
  settings_.silence_limit = milliseconds(1000);
  Send("1", "GET x");
  for (int i = 0; i < 9; ++i) {
    Advance(milliseconds(100));
    Send("more", "GET x");
  }
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), SizeIs(10));
  EXPECT_FALSE(connection().ready());
}

TEST_F(UpstreamDeadlinesTest, AnIdleConnectionIsNeverSilent) {
  settings_.silence_limit = milliseconds(1000);
  Send("1", "GET x");
  shard_.Sends("$1\r\nX\r\n");
  Advance(milliseconds(60'000));
  Send("2", "GET x");
  Advance(milliseconds(999));
  shard_.Sends("$1\r\nX\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 X"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamDeadlinesTest, ASuspectShardQueuesNoMoreThanItsLimitOfRequests) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(10'000);
  Send("first", "GET x");
  Advance(milliseconds(100));
  for (uint32_t i = 1; i < UpstreamConnection::kMaxSuspectRequests; ++i) {
    ASSERT_EQ(Queue("more", "GET x"), std::nullopt) << i;
  }
  EXPECT_EQ(Queue("too many", "GET x"), Failure::kOverloaded);
  Settle();
  // One byte lifts the suspicion.
  shard_.Sends("$");
  EXPECT_EQ(Queue("again", "GET x"), std::nullopt);
  EXPECT_THAT(Verdicts(), ElementsAre("silence", "success"));
}

TEST_F(UpstreamDeadlinesTest, ASuspectShardQueuesNoMoreThanItsLimitOfBytes) {
  settings_.login.auth = "secret";
  Send("1", "GET x");
  shard_.ClosesConnection();
  Advance(milliseconds(50));  // connected again, not yet introduced
  ASSERT_EQ(shard_.connections(), 2u);
  const std::string set = StrCat("SET x ", std::string(UpstreamConnection::kMaxSuspectBytes, 'x'));
  EXPECT_EQ(Queue("2", set), std::nullopt);
  EXPECT_EQ(Queue("3", "GET x"), Failure::kOverloaded);
  Settle();
}

}  // namespace
}  // namespace weir
