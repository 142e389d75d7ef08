// Requests and replies on a connection that works, and how it ends.
#include "proxy/upstream/upstream_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/support/every_split_of.h"
#include "tests/support/resp.h"
#include "tests/support/upstream_connection_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using UpstreamConnectionTest = UpstreamConnectionHarness;

TEST_F(UpstreamConnectionTest, ConnectsWithTheFirstRequestAndGivesEachItsReplyInOrder) {
  connection();
  Settle();
  EXPECT_EQ(shard_.connections(), 0u);
  Send("1", "GET x");
  Send("2", "GET y");
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x", "GET y"));
  shard_.Sends("$1\r\nX\r\n$-1\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 (nil)"));
  EXPECT_EQ(connection().pending(), 0u);
}

TEST_F(UpstreamConnectionTest, RepliesMayArriveInAnyPieces) {
  const std::string bytes = "+OK\r\n>2\r\n+in\r\n:1\r\n$3\r\nabc\r\n*2\r\n:1\r\n*1\r\n_\r\n";
  for (const Chunks& chunks : EverySplitOf(bytes)) {
    Queue("1", "SET x 1");
    Queue("2", "GET y");
    Send("3", "LRANGE z 0 1");
    for (std::string_view chunk : chunks) shard_.Sends(chunk);
    ASSERT_THAT(Events(), ElementsAre("1 OK", "2 abc", "3 [:1, [(nil)]]")) << Describe(chunks);
  }
  EXPECT_EQ(shard_.connections(), 1u);
}

TEST_F(UpstreamConnectionTest, ABatchLargerThanOneCallKeepsItsOrder) {
  std::string replies;
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    Queue(StrCat(i), "GET x");
    replies += EncodeBulk(StrCat("v", i));
    expected.push_back(StrCat(i, " v", i));
  }
  Settle();
  shard_.Sends(replies);
  EXPECT_EQ(Events(), expected);
}

TEST_F(UpstreamConnectionTest, WhoeverGetsABatchMayCloseTheConnection) {
  for (int i = 0; i < 100; ++i) Queue(StrCat(i), "GET x");
  Settle();
  sink_.on_parts = [&] { connection().Close(Failure::kReset); };
  std::string replies;
  for (int i = 0; i < 100; ++i) replies += "$1\r\nx\r\n";
  shard_.Sends(replies);
  const std::vector<std::string> events = Events();
  ASSERT_THAT(events, SizeIs(100));
  EXPECT_EQ(events.front(), "0 x");
  EXPECT_EQ(events.back(), "99 failed: reset");
  EXPECT_THAT(Verdicts(), IsEmpty()) << "the replies behind are nobody's fault";
  EXPECT_EQ(Send("again", "GET x"), std::nullopt);
  shard_.Sends("$1\r\nx\r\n");
  EXPECT_THAT(Events(), ElementsAre("again x"));
}

TEST_F(UpstreamConnectionTest, SwallowsTheRepliesInFrontOfATransactions) {
  Queue("1", "EXEC", /*replies_to_skip=*/3);
  Send("2", "GET x");
  shard_.Sends("+OK\r\n+QUEUED\r\n-ERR wrong\r\n*1\r\n:7\r\n$1\r\nx\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 [:7]", "2 x"));
}

TEST_F(UpstreamConnectionTest, DropsPushesEvenWhenNothingIsPending) {
  Send("1", "GET x");
  shard_.Sends(">2\r\n+invalidate\r\n+x\r\n$1\r\nX\r\n>1\r\n+m");
  shard_.Sends("ore\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X"));
  EXPECT_EQ(pool_stats_.pushes_dropped.Get(), 2u);
  EXPECT_TRUE(connection().ready());
}

TEST_F(UpstreamConnectionTest, AReplyNobodyWaitsForClosesTheConnection) {
  Send("1", "GET x");
  shard_.Sends("$1\r\nX\r\n$5\r\nstray\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X"));
  EXPECT_FALSE(shard_.connected());
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
  Send("2", "GET x");
  shard_.Sends("$1\r\nX\r\n");
  EXPECT_THAT(Events(), ElementsAre("2 X"));
  EXPECT_THAT(Verdicts(), ElementsAre("success"));
}

TEST_F(UpstreamConnectionTest, AReplyBeforeItsRequestWasWrittenBreaksTheConnection) {
  Send("1", "GET x");
  SendMoreThanTheSocketTakes("2");
  Send("3", "GET y");
  shard_.Sends("$1\r\nX\r\n$5\r\nstray\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: protocol", "3 failed: protocol"));
  EXPECT_FALSE(connection().ready());
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
}

TEST_F(UpstreamConnectionTest, TheBeginningOfAReplyIsTooEarlyAsWell) {
  SendMoreThanTheSocketTakes("1");
  shard_.Sends("$5\r\nst");
  EXPECT_THAT(Events(), ElementsAre("1 failed: protocol"));
}

TEST_F(UpstreamConnectionTest, ARequestRefusedInItsMiddleGetsTheErrorAndEndsTheConnection) {
  SendMoreThanTheSocketTakes("1");
  Send("2", "GET y");
  shard_.Sends("-ERR invalid bulk length\r\n$5\r\nstray\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 -ERR invalid bulk length", "2 failed: reset"));
  EXPECT_FALSE(connection().ready());
}

TEST_F(UpstreamConnectionTest, AnErrorToARequestOfWhichNothingWasWrittenBreaksTheConnection) {
  Send("1", "GET x");
  shard_.Sends("$1\r\nX\r\n");
  Queue("2", "GET y");  // read comes before the turn's end, which writes it
  shard_.Sends("-ERR stray\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: protocol"));
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
}

TEST_F(UpstreamConnectionTest, AnOpenRequestMayBeRefusedButNotAnswered) {
  SendBeginning("1", "SET x y");
  Fragment& refused = last_fragment();
  shard_.Sends("-OOM command not allowed\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 -OOM command not allowed"));
  EXPECT_FALSE(shard_.connected());
  EXPECT_THAT(Verdicts(), IsEmpty()) << "the client asked for it";
  connection().SendMore(&refused, "without effect", /*last=*/true);
  Settle();

  SendBeginning("2", "SET x y");
  shard_.Sends("+OK\r\n");
  EXPECT_THAT(Events(), ElementsAre("2 failed: protocol"));
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
}

TEST_F(UpstreamConnectionTest, ATransactionsFramesAreAnsweredAsTheyArrive) {
  connection().Connect();
  Settle();
  shard_.StopsReading();
  Fragment& fragment = NewFragment("1");
  fragment.replies_to_skip = 2;
  const std::string set = FakeClient::Encode(StrCat("SET x ", std::string(1'000'000, 'x')));
  const std::string frames = StrCat(FakeClient::Encode("MULTI"), set, FakeClient::Encode("EXEC"));
  ASSERT_EQ(connection().Send(&fragment, frames), std::nullopt);
  Settle();
  ASSERT_GT(connection().unsent(), 0u);
  shard_.Sends("+OK\r\n");
  EXPECT_TRUE(shard_.connected());
  shard_.ReadsOn();
  shard_.Sends("+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 [OK]"));
}

TEST_F(UpstreamConnectionTest, GarbageFailsWhatIsPendingAndKeepsTheRepliesBefore) {
  Queue("1", "GET x");
  Queue("2", "GET y");
  Send("3", "GET z");
  shard_.Sends("$1\r\nX\r\nHTTP/1.1 400\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: protocol", "3 failed: protocol"));
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
  EXPECT_EQ(stats_.server_err.Get(), 1);
}

TEST_F(UpstreamConnectionTest, AShardThatClosesInMidReplyFailsWhatIsPending) {
  Queue("1", "GET x");
  Send("2", "GET y");
  shard_.Sends("$1\r\nX\r\n$10\r\nhal");
  shard_.ClosesConnection();
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: reset"));
  EXPECT_THAT(Verdicts(), ElementsAre("reset"));
  EXPECT_EQ(stats_.server_eof.Get(), 1);
  EXPECT_EQ(stats_.server_err.Get(), 0);
  // The next connection begins with a fresh reply.
  Send("3", "GET z");
  shard_.Sends("$1\r\nZ\r\n");
  EXPECT_THAT(Events(), ElementsAre("3 Z"));
}

TEST_F(UpstreamConnectionTest, AnIdleConnectionThatTheShardClosesIsNoFailure) {
  Send("1", "GET x");
  shard_.Sends("$1\r\nX\r\n");
  shard_.ClosesConnection();
  EXPECT_THAT(Verdicts(), IsEmpty());
  EXPECT_EQ(sink_.idle_closes, 1) << "its name is worth another lookup";
  EXPECT_EQ(Send("2", "GET y"), std::nullopt);
  shard_.Sends("$1\r\nY\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 Y"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectionTest, ARequestQueuedInTheMomentOfAnIdleCloseGoesOverANewConnection) {
  Send("1", "GET x");
  shard_.Sends("$1\r\nX\r\n");
  Queue("2", "GET y");
  Queue("3", "GET z");
  shard_.ClosesConnection();
  EXPECT_EQ(shard_.connections(), 2u);
  shard_.Sends("$1\r\nY\r\n$1\r\nZ\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 Y", "3 Z"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectionTest, WhatWasWrittenIsNeverSentAgain) {
  Send("1", "GET x");
  shard_.Sends("$1\r\nX\r\n");
  Send("2", "GET y");
  Queue("3", "GET z");
  shard_.ClosesConnection();
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: reset", "3 failed: reset"));
  EXPECT_THAT(Verdicts(), ElementsAre("reset"));
}

TEST_F(UpstreamConnectionTest, WhatIsLeftWhenItEndsFails) {
  Queue("1", "GET x");
  Send("2", "GET y");
  connection_.reset();
  EXPECT_THAT(Events(), ElementsAre("1 failed: removed", "2 failed: removed"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectionTest, ARequestMayBeSentInParts) {
  SendBeginning("1", "SET x y");
  Fragment& fragment = last_fragment();
  connection().SendMore(&fragment, FakeClient::Encode("PING"), /*last=*/true);
  Settle();
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x y", "PING"));
  shard_.Sends("+OK\r\n");
  connection().SendMore(&fragment, "without effect", /*last=*/true);
  Settle();
  EXPECT_EQ(connection().unsent(), 0u);
  EXPECT_THAT(Events(), ElementsAre("1 OK"));
}

}  // namespace
}  // namespace weir
