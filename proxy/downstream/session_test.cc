// What one session promises: replies in request order, a window. Transcripts over the whole
// in-process data plane. Its limits and endings: session_limits_test.cc, session_endings_test.cc.
#include "proxy/downstream/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/support/every_split_of.h"
#include "tests/support/repeat.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

// --- Order ---

TEST(SessionTest, RepliesInRequestOrderWhenShardsAnswerOutOfOrder) {
  SessionHarness h;
  h.client().Sends("GET a1", "GET b1", "GET a2");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1", "GET a2"));
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("GET b1"));
  h.shard("b").Replies("two");
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", "two"));
  h.shard("a").Replies("three");
  EXPECT_THAT(h.client().Received(), ElementsAre("three"));
}

TEST(SessionTest, ItsOwnAnswersWaitForTheRepliesBeforeThem) {
  SessionHarness h;
  h.client().Sends("GET a1", "PING", "GET b1");
  h.shard("b").Replies("b");
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.shard("a").Replies("a");
  EXPECT_THAT(h.client().Received(), ElementsAre("a", "PONG", "b"));
}

TEST(SessionTest, AReplyNeverReachesTheSessionNextInLine) {
  SessionHarness h;
  h.client(0).Sends("GET a1", "GET a2");
  h.client(1).Sends("GET a3");
  EXPECT_EQ(h.shard("a").connections(), 1u);
  h.client(0).Leaves();
  EXPECT_EQ(h.sessions(), 1u);
  h.shard("a").Replies("one");
  h.shard("a").Replies("two");
  EXPECT_THAT(h.client(1).Received(), IsEmpty());
  h.shard("a").Replies("three");
  EXPECT_THAT(h.client(1).Received(), ElementsAre("three"));
  EXPECT_EQ(h.shard("a").connections(), 1u);
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty());
  EXPECT_EQ(h.requests().in_use(), 0u);
}

TEST(SessionTest, ASplitRequestWhoseSessionLeftIsReleasedWithItsLastReply) {
  SessionHarness h;
  h.client().Sends("MGET a1 b1");
  h.shard("a").Sends("*1\r\n$1\r\nx\r\n");
  h.client().Leaves();
  EXPECT_EQ(h.requests().in_use(), 1u);
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u) << "a gathered reply that nobody will read";
  h.shard("b").Sends("*1\r\n$1\r\ny\r\n");
  EXPECT_EQ(h.requests().in_use(), 0u);
}

TEST(SessionTest, AnswersARequestThatArrivesInAnyPieces) {
  const std::string request = FakeClient::Encode("MGET a1 b1") + FakeClient::Encode("GET a2");
  SessionHarness h;
  h.shard("a").Answers([](const auto& args) {
    return args[0] == "MGET" ? "*1\r\n" + EncodeBulk(args[1]) : EncodeBulk(args[1]);
  });
  h.shard("b").Answers([](const auto& args) { return "*1\r\n" + EncodeBulk(args[1]); });
  for (const Chunks& chunks : EverySplitOf(request)) {
    for (std::string_view chunk : chunks) h.client().SendsBytes(chunk);
    ASSERT_THAT(h.client().Received(), ElementsAre("[a1, b1]", "a2")) << Describe(chunks);
  }
}

TEST(SessionTest, PassesOnARepliesThatArriveInAnyPieces) {
  const std::string replies = "$3\r\none\r\n*2\r\n:1\r\n+x\r\n-ERR no\r\n";
  SessionHarness h;
  for (const Chunks& chunks : EverySplitOf(replies)) {
    h.client().Sends("GET a1", "LRANGE a2 0 1", "GET a3");
    for (std::string_view chunk : chunks) h.shard("a").Sends(chunk);
    ASSERT_THAT(h.client().Received(), ElementsAre("one", "[:1, x]", "-ERR no"))
        << Describe(chunks);
  }
}

TEST(SessionTest, AReplyInProgressPassesBeforeItIsComplete) {
  SessionHarness h;
  h.client().Sends("GET a1");
  h.shard("a").Sends(StrCat("$100000\r\n", std::string(50000, 'x')));
  EXPECT_EQ(h.client().unread_bytes(), 50009u);
  h.shard("a").Sends(StrCat(std::string(50000, 'x'), "\r\n"));
  EXPECT_THAT(h.client().Received(), ElementsAre(std::string(100000, 'x')));
}

TEST(SessionTest, AShardThatFailsInAReplyNotYetPassedOnCostsAnErrorAndNotTheSession) {
  SessionHarness h;
  h.client().Sends("GET a1");
  h.shard("a").Sends("$100\r\nhalf of it");
  h.shard("a").ClosesConnection();
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection reset by peer")));
  EXPECT_FALSE(h.client().disconnected());
}

TEST(SessionTest, AShardThatFailsInAReplyAlreadyPassedOnEndsThatSessionOnly) {
  SessionHarness h;
  h.client(0).Sends("GET a1");
  h.client(1).Sends("GET a2");
  h.shard("a").Sends(StrCat("$100000\r\n", std::string(50000, 'x')));
  h.shard("a").ClosesConnection();
  EXPECT_TRUE(h.client(0).disconnected());
  EXPECT_FALSE(h.client(1).disconnected());
  EXPECT_THAT(h.client(1).Received(), ElementsAre(StartsWith("-ERR Connection reset by peer")));
}

TEST(SessionTest, AnExpiredPartOfASplitRequestDoesNotKeepTheOthersReplies) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h.client().Sends("MGET a1 b1");
  h.shard("a").Sends(StrCat("*1\r\n", EncodeBulk(std::string(100'000, 'x'))));
  h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection timed out: shard b")));
  EXPECT_EQ(h.requests().in_use(), 1u) << "the late reply is still to come";
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
  h.shard("b").Sends("*1\r\n$1\r\nx\r\n");
  EXPECT_EQ(h.requests().in_use(), 0u);
}

TEST(SessionTest, APoolWhoseShardRefusesResp3IsServedInResp2) {
  SessionHarness h;
  h.client(0).SendsBytes("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
  h.client(0).Received();
  h.client(0).Sends("GET a1");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("HELLO 3"));
  h.shard("a").Sends("-NOPROTO unsupported protocol version\r\n");
  EXPECT_THAT(h.client(0).Received(), ElementsAre(StartsWith("-NOPROTO shard a")));
  h.client(0).Sends("GET a1");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("one"));
  h.client(1).Sends("HELLO 3");
  EXPECT_THAT(h.client(1).Received(), ElementsAre(StartsWith("-NOPROTO")));
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty());
}

// --- What it holds ---

TEST(SessionTest, HoldsWhatItHasReadOfAnUnfinishedRequest) {
  SessionHarness h;
  h.client().SendsBytes(
      StrCat("*3\r\n$4\r\nMSET\r\n$2\r\na1\r\n$5000\r\n", std::string(1000, 'x')));
  EXPECT_GE(h.session(0).held(), 1029u);
  EXPECT_LE(h.session(0).held(), 1300u) << "and what its parser knows so far";
  EXPECT_EQ(h.chunks().bytes_in_use(), h.session(0).held());
  h.client().SendsBytes(std::string(4000, 'x') + "\r\n");
  EXPECT_EQ(h.session(0).held(), 0u);
}

TEST(SessionTest, HoldsTheCommandsOfAnOpenTransaction) {
  SessionHarness h;
  h.client().Sends("MULTI", "SET a1 value");
  EXPECT_EQ(h.session(0).held(), FakeClient::Encode("SET a1 value").size());
  h.client().Sends("DISCARD");
  EXPECT_EQ(h.session(0).held(), 0u);
}

TEST(SessionTest, AnIdleSessionOwnsNoBuffer) {
  SessionHarness h;
  h.client().Sends("GET a1", "MGET a1 b1");
  h.shard("a").Sends("$1\r\nx\r\n*1\r\n$1\r\nx\r\n");
  h.shard("b").Sends("*1\r\n$1\r\nx\r\n");
  EXPECT_THAT(h.client().Received(), SizeIs(2));
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
  EXPECT_TRUE(h.session(0).quiet());
}

TEST(SessionTest, AnUnknownCommandSpoilsTheTransaction) {
  SessionHarness h;
  h.client().Sends("MULTI", "SET a1 x", "SETT a2 y", "EXEC");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("OK", "QUEUED", HasSubstr("unknown command"), HasSubstr("EXECABORT")));
  h.client().Sends("MULTI", "CLIENT NOSUCH", "EXEC");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("OK", HasSubstr("unknown subcommand"), HasSubstr("EXECABORT")));
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
}

// --- Window ---

TEST(SessionTest, TakesThirtyTwoRequestsAtFirstAndMoreAsItsRepliesStaySmall) {
  SessionHarness h;
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 200));
  EXPECT_THAT(h.shard("a").Received(), SizeIs(RequestWindow::kFirst));
  h.shard("a").Sends(Repeat("$1\r\nx\r\n", 32));
  EXPECT_THAT(h.shard("a").Received(), SizeIs(64));
  EXPECT_EQ(h.stats().window_grown.Get(), 1u);
  h.shard("a").Sends(Repeat("$1\r\nx\r\n", 64));
  EXPECT_THAT(h.shard("a").Received(), SizeIs(104));
  h.shard("a").Sends(Repeat("$1\r\nx\r\n", 104));
  EXPECT_THAT(h.client().Received(), SizeIs(200));
}

TEST(SessionTest, AWindowShrinksSoThatItsRepliesFitHalfTheOutputLimit) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 80'000; });
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 100));
  EXPECT_THAT(h.shard("a").Received(), SizeIs(32));
  for (int i = 0; i < 32; ++i) h.shard("a").Replies(std::string(10'000, 'x'));
  EXPECT_GE(h.stats().window_shrunk.Get(), 1u);
  EXPECT_GT(h.session(0).in_flight(), 0u);
  EXPECT_LE(h.session(0).in_flight(), 3u);
  EXPECT_FALSE(h.client().disconnected());
}

TEST(SessionTest, APipelineLargerThanTheWindowIsAnsweredWholeWhenEveryRequestFailsAtOnce) {
  SessionHarness h;
  h.shard("a").StopsListening();
  h.client().Sends("GET a1");
  h.Advance(std::chrono::milliseconds(1));
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR Connection refused")));
  // Backing off: each is refused while it is taken.
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 1000));
  EXPECT_THAT(h.client().Received(), SizeIs(1000));
}

TEST(SessionTest, AnIncompleteRequestBehindAFullWindowIsTakenOnceItIsComplete) {
  SessionHarness h;
  const std::string last = FakeClient::Encode("GET a99");
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 32) + last.substr(0, 7));
  h.shard("a").Sends(Repeat("$1\r\nx\r\n", 32));
  EXPECT_THAT(h.client().Received(), SizeIs(32));
  h.shard("a").Received();
  h.client().SendsBytes(last.substr(7));
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a99"));
}

TEST(SessionTest, RequestsForAShardThatDoesNotAnswerAreBoundedInBytes) {
  SessionHarness h([](PoolConfig& pool) { pool.large_request = 10'000; });
  const std::string set = EncodeRequest({"SET", "a1", std::string(9'000, 'x')});
  h.client().SendsBytes(Repeat(set, 20));
  // The fifth found 36 KB in flight: not more than 4 × 10,000 bytes.
  EXPECT_THAT(h.shard("a").Received(), SizeIs(5));
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
  for (int i = 0; i < 19; ++i) h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), SizeIs(20));
}

TEST(SessionTest, RequestsBehindAConnectThatTakesLongAreBoundedInBytes) {
  SessionHarness h([](PoolConfig& pool) { pool.large_request = 10'000; });
  h.connections().SetAddresses(/*shard=*/0, {});  // its name is not resolved yet
  h.client().SendsBytes(Repeat(EncodeRequest({"SET", "a1", std::string(9'000, 'x')}), 30));
  EXPECT_EQ(h.session(0).in_flight(), 5u);
  EXPECT_LE(h.chunks().bytes_in_use(), 150'000u);
}

TEST(SessionTest, ARequestOfAnySizePassesWhenNothingElseIsInFlight) {
  SessionHarness h([](PoolConfig& pool) { pool.large_request = 10'000; });
  const std::string mset =
      EncodeRequest({"MSET", "a1", std::string(90'000, 'x'), "b1", std::string(90'000, 'x')});
  h.client().SendsBytes(mset + mset);
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
  EXPECT_THAT(h.shard("b").Received(), SizeIs(1));
  h.shard("a").Sends("+OK\r\n");
  h.shard("b").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
}

// --- Leases ---

std::string BeginningOfALargeSet(std::string_view key) {
  return StrCat("*3\r\n$3\r\nSET\r\n$", key.size(), "\r\n", key, "\r\n$400000\r\n",
                std::string(100'000, 'x'));
}

TEST(SessionTest, AClientThatStallsInAnUploadIsNotBlamedOnTheShard) {
  SessionHarness h([](PoolConfig& pool) {
    pool.timeout = absl::Milliseconds(100);
    pool.shard_silence_limit = absl::Seconds(1);
  });
  h.client().SendsBytes(BeginningOfALargeSet("a1"));
  for (int i = 0; i < 50; ++i) h.Advance(std::chrono::milliseconds(100));
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty());
  EXPECT_THAT(h.client().Received(), IsEmpty()) << "its deadline begins with its last byte";
  h.client().SendsBytes(std::string(300'000, 'x') + "\r\n");
  EXPECT_THAT(h.shard("a").Received(), SizeIs(1));
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty());
}

TEST(SessionTest, WithoutALeaseToBeHadAWholeRequestIsShared) {
  SessionHarness h([](PoolConfig& pool) { pool.max_leases = 1; });
  h.client(0).Sends("GET a1");
  h.shard("a").Replies(std::string(2 << 20, 'x'));
  h.Advance(std::chrono::milliseconds(10));  // the connection is in its place again
  h.client(1).SendsBytes(BeginningOfALargeSet("a2"));
  h.client(0).Sends("GET a3");
  EXPECT_THAT(h.client(0).Received(), SizeIs(1));
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1", "GET a3"));
  h.shard("a").SendsOn(0, "$1\r\n3\r\n");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("3"));
}

TEST(SessionTest, AFinishedUploadHasADeadline) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h.client().SendsBytes(BeginningOfALargeSet("a1"));
  h.Advance(std::chrono::milliseconds(500));
  h.client().SendsBytes(std::string(300'000, 'x') + "\r\n");
  h.Advance(std::chrono::milliseconds(101));
  EXPECT_THAT(h.client().Received(), ElementsAre(HasSubstr("timed out")));
}

TEST(SessionTest, AShardThatClosesDuringAnUploadIsNotBlamed) {
  SessionHarness h;
  h.client().SendsBytes(BeginningOfALargeSet("a1"));
  h.shard("a").ClosesConnection();
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty()) << "a client can bring that about";
  EXPECT_THAT(h.client().Received(), ElementsAre(HasSubstr("closed the connection")));
  h.client().SendsBytes(std::string(300'000, 'x') + "\r\n" + FakeClient::Encode("PING"));
  EXPECT_THAT(h.client().Received(), ElementsAre("PONG"));
}

TEST(SessionTest, RepliesGatheredBehindAHugeOneDoNotHoldItUp) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().StopsReading();
  h.client().Sends("GET a1", "GET b1");
  h.shard("b").Replies(std::string(300'000, 'b'));
  h.shard("a").Replies(std::string(8 << 20, 'a'));
  EXPECT_EQ(h.stats().leases.Get(), 1);
  h.client().ReadsOn();
  const std::vector<std::string> replies = h.client().Received();
  ASSERT_THAT(replies, SizeIs(2));
  EXPECT_EQ(replies[0].size(), size_t{8 << 20});
  EXPECT_EQ(replies[1].size(), size_t{300'000});
}

}  // namespace
}  // namespace weir
