// What becomes of requests: forwarded, split, refused, gathered in a transaction; and what a
// client is told when shards fail. Transcripts over the whole in-process data plane.
#include "proxy/downstream/redis_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proxy/base/strings.h"
#include "proxy/base/version.h"
#include "proxy/downstream/redis_session_state.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

SessionHarness::Options OneShard() {
  SessionHarness::Options options;
  options.shards = {"a"};
  return options;
}

// --- Forwarding and splitting ---

TEST(RedisHandlerTest, ForwardsARequestAsItCame) {
  SessionHarness h;
  h.client().SendsBytes("*2\r\n$3\r\ngEt\r\n$2\r\nb1\r\n");
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("gEt b1"));
}

TEST(RedisHandlerTest, AnInlineCommandBecomesAnArray) {
  SessionHarness h;
  h.client().SendsBytes("SET b1 \"two words\"\r\n\r\nGET b1\n");
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("SET b1 two words", "GET b1"));
  h.shard("b").Sends("+OK\r\n$1\r\nx\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "x"));
}

TEST(RedisHandlerTest, SplitsAnMgetAndPutsTheValuesBackInOrder) {
  SessionHarness h;
  h.client().Sends("MGET b1 a1 b2");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("MGET a1"));
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("MGET b1 b2"));
  h.shard("a").Sends("*1\r\n$1\r\nA\r\n");
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.shard("b").Sends("*2\r\n$-1\r\n$2\r\nB2\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("[(nil), A, B2]"));
}

TEST(RedisHandlerTest, AnMgetOfOneShardIsForwardedWhole) {
  SessionHarness h;
  h.client().Sends("MGET b1 b2");
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("MGET b1 b2"));
  EXPECT_EQ(h.stats().fragments.Get(), 0u);
}

TEST(RedisHandlerTest, SumsAndOksAreMerged) {
  SessionHarness h;
  h.client().Sends("DEL a1 b1 b2", "MSET a1 x b1 y");
  h.shard("a").Sends(":1\r\n+OK\r\n");
  h.shard("b").Sends(":2\r\n+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre(":3", "OK"));
}

TEST(RedisHandlerTest, KeysOnSeveralShardsAreNamedInTheError) {
  SessionHarness h;
  h.client().Sends("RENAME a1 b1", "RENAME a1 a2");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(AllOf(StartsWith("-CROSSSHARD 'rename'"), HasSubstr("'a1' is on a"),
                                HasSubstr("'b1' on b"))));
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("RENAME a1 a2"));
  EXPECT_THAT(h.shard("b").Received(), IsEmpty());
}

TEST(RedisHandlerTest, NothingThatWouldHarmASharedConnectionIsForwarded) {
  for (const auto& shards : {std::vector<std::string>{"a"}, std::vector<std::string>{"a", "b"}}) {
    SessionHarness::Options options;
    options.shards = shards;
    SessionHarness h(std::move(options));
    h.client().Sends("SUBSCRIBE a1", "MONITOR", "BLPOP a1 0", "WATCH a1", "SYNC", "SHUTDOWN",
                     "XREAD BLOCK 0 STREAMS a1 0", "CLIENT PAUSE 100", "WAIT 1 0", "FLUSHALL");
    EXPECT_THAT(h.client().Received(),
                AllOf(testing::SizeIs(10), testing::Each(StartsWith("-ERR"))));
    EXPECT_FALSE(h.client().disconnected());
    EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  }
}

TEST(RedisHandlerTest, ErrorsInARequestAreAnsweredAndTheSessionGoesOn) {
  SessionHarness h;
  h.client().Sends("NOSUCH x", "GET", "OBJECT NOSUCH a1", "EVAL return 0", "PING");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR unknown command 'NOSUCH'"),
                                                 "-ERR wrong number of arguments for 'get' command",
                                                 StartsWith("-ERR unknown subcommand 'NOSUCH'"),
                                                 StartsWith("-ERR"), "PONG"));
}

TEST(RedisHandlerTest, EveryShardIsFlushedWhenThePoolAllowsIt) {
  SessionHarness h([](PoolConfig& pool) { pool.allow_flush = true; });
  h.client().Sends("FLUSHALL", "DBSIZE");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("FLUSHALL", "DBSIZE"));
  h.shard("a").Sends("+OK\r\n:4\r\n");
  h.shard("b").Sends("+OK\r\n:3\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", ":7"));
}

// --- Failures ---

TEST(RedisHandlerTest, AFailedShardMakesTheWholeMgetAnError) {
  SessionHarness h;
  h.client().Sends("MGET a1 b1");
  h.shard("a").Sends("*1\r\n$1\r\nx\r\n");
  h.shard("b").ClosesConnection();
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR Connection reset by peer: shard b")));
}

TEST(RedisHandlerTest, PartialMgetPutsTheErrorInTheMissingValuesPlaces) {
  SessionHarness h([](PoolConfig& pool) { pool.partial_mget = PartialMget::kElements; });
  h.client().Sends("MGET b1 a1 b2");
  h.shard("a").Sends("*1\r\n$1\r\nx\r\n");
  h.shard("b").ClosesConnection();
  EXPECT_THAT(h.client().Received(), ElementsAre(AllOf(StartsWith("[-ERR"), HasSubstr(", x, -ERR"),
                                                       HasSubstr("shard b"))));
}

TEST(RedisHandlerTest, AFailedMsetSaysWhichShardsItMissedAndWhy) {
  SessionHarness::Options options;
  options.shards = {"a", "b", "c"};
  SessionHarness h(std::move(options));
  h.client().Sends("MSET a1 x b1 y c1 z");
  h.shard("a").Sends("+OK\r\n");
  h.shard("b").Sends("-OOM command not allowed\r\n");
  h.shard("c").ClosesConnection();
  EXPECT_THAT(
      h.client().Received(),
      ElementsAre(AllOf(StartsWith("-ERR 2 of 3 shards failed (b: OOM command not allowed, c: "
                                   "Connection reset by peer: shard c"),
                        HasSubstr("); what the others did stays done"))));
}

TEST(RedisHandlerTest, AnErrorReplyToAPartOfAnMsetSaysWhichShardGaveIt) {
  SessionHarness h;
  h.client().Sends("MSET a1 x b1 y", "DEL a1 b1");
  h.shard("a").Sends("+OK\r\n");
  h.shard("b").Sends("-OOM command not allowed\r\n");
  h.shard("a").Sends("-OOM command not allowed\r\n");
  h.shard("b").Sends("-READONLY no\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("-OOM 1 of 2 shards failed (b: OOM command not allowed); what the others "
                          "did stays done",
                          StartsWith("-ERR 2 of 2 shards failed (a: OOM command not allowed, b: "
                                     "READONLY no)")));
}

TEST(RedisHandlerTest, WhatIsHttpEndsTheSessionBeforeItsBodyIsRun) {
  for (std::string_view first : {"POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhOST: x\r\n"}) {
    SessionHarness h;
    h.client().SendsBytes(StrCat(first, "\r\nSET a1 pwned\r\n"));
    EXPECT_TRUE(h.client().disconnected());
    EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  }
}

TEST(RedisHandlerTest, AnExecWithArgumentsEndsTheTransaction) {
  SessionHarness h;
  h.client().Sends("MULTI", "SET a1 x", "EXEC x", "GET a1");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.shard("a").Replies("none");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("OK", "QUEUED",
                          "-EXECABORT Transaction discarded because of: wrong number of arguments "
                          "for 'exec' command",
                          "none"));
}

TEST(RedisHandlerTest, OfLargeKeysATransactionKeepsNoSecondCopy) {
  SessionHarness h;
  h.client().Sends("MULTI");
  h.client().SendsBytes(
      StrCat("*2\r\n$3\r\nGET\r\n$200000\r\n", std::string(200'000, 'k'), "\r\n"));
  const auto& state = static_cast<const RedisSessionState&>(h.session(0).state());
  ASSERT_NE(state.transaction, nullptr);
  EXPECT_LE(state.transaction->first_key.size(), 200u);
}

TEST(RedisHandlerTest, WhatTheParserOfAnUnfinishedRequestHoldsCounts) {
  SessionHarness h;
  h.client().SendsBytes("*100001\r\n$4\r\nMGET\r\n");
  std::string arguments;
  for (int i = 0; i < 50'000; ++i) arguments += "$0\r\n\r\n";
  h.client().SendsBytes(arguments);
  EXPECT_GE(h.chunks().bytes_in_use(), arguments.size() + 50'000 * sizeof(uint64_t));
  h.client().Leaves();
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
}

TEST(RedisHandlerTest, InfoTellsTheVersionAndClientInfoTheAge) {
  SessionHarness h;
  h.client().Sends("INFO server", "CLIENT INFO");
  EXPECT_THAT(
      h.client().Received(),
      ElementsAre(HasSubstr(StrCat("\r\nweir_version:", kVersion, "\r\n")), HasSubstr(" age=")));
  // As if it had connected an hour ago.
  static_cast<RedisSessionState&>(h.session(0).state()).connected_at -= absl::Hours(1);
  h.client().Sends("CLIENT INFO");
  EXPECT_THAT(h.client().Received(), ElementsAre(HasSubstr(" age=36")));
}

TEST(RedisHandlerTest, AnErrorThatShardsAnswerIsPassedOnWithItsCode) {
  SessionHarness h;
  h.client().Sends("MSET a1 x b1 y", "GET a1");
  h.shard("a").Sends("+OK\r\n-LOADING wait\r\n");
  h.shard("b").Sends("-OOM command not allowed\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-OOM 1 of 2 shards failed"), "-LOADING wait"));
  EXPECT_THAT(h.TakeVerdicts(), IsEmpty()) << "error replies are no failures";
}

TEST(RedisHandlerTest, AnExpiredRequestSaysSoAndItsLateReplyReachesNobody) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h.client(0).Sends("GET a1");
  h.Advance(milliseconds(50));
  h.client(1).Sends("GET a2");
  h.Advance(milliseconds(50));
  EXPECT_THAT(h.client(0).Received(),
              ElementsAre(StartsWith("-ERR Connection timed out: shard a")));
  h.client(0).Sends("GET a3");
  h.shard("a").Replies("late");
  h.shard("a").Replies("two");
  h.shard("a").Replies("three");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("three"));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("two"));
  EXPECT_EQ(h.shard("a").connections(), 1u);
}

TEST(RedisHandlerTest, AnEjectedShardOfAPoolThatFailsFastIsNotAsked) {
  SessionHarness h;
  h.selector().SetHealth(h.context().pool->ring, {true, false});
  h.client().Sends("GET b1", "MGET a1 b1", "GET a1");
  EXPECT_THAT(h.shard("b").Received(), IsEmpty());
  h.shard("a").Sends("*1\r\n$1\r\nx\r\n$1\r\ny\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("-ERR shard b is ejected", "-ERR shard b is ejected", "y"));
}

// --- Transactions ---

TEST(RedisHandlerTest, ATransactionIsOneBlockAndItsQueuedRepliesAreSwallowed) {
  SessionHarness h;
  h.client(0).Sends("MULTI", "SET b1 x");
  h.client(1).Sends("GET b9");
  h.client(0).Sends("GET b1", "EXEC");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("OK", "QUEUED", "QUEUED"));
  EXPECT_THAT(h.shard("b").Received(),
              ElementsAre("GET b9", "MULTI", "SET b1 x", "GET b1", "EXEC"));
  h.shard("b").Sends("$4\r\nnine\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nx\r\n");
  EXPECT_THAT(h.client(0).Received(), ElementsAre("[OK, x]"));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("nine"));
}

TEST(RedisHandlerTest, ATransactionOverSeveralShardsIsRefusedAtExec) {
  SessionHarness h;
  h.client().Sends("MULTI", "SET a1 x", "SET b1 y", "EXEC", "GET a1");
  EXPECT_THAT(h.client().Received(),
              ElementsAre("OK", "QUEUED", "QUEUED", StartsWith("-CROSSSHARD 'exec'")));
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
}

TEST(RedisHandlerTest, ABadCommandSpoilsTheTransaction) {
  for (std::string bad : {"NOSUCH", "GET", "OBJECT NOSUCH a1", "SUBSCRIBE a1"}) {
    SessionHarness h;
    h.client().Sends("MULTI", bad, "SET a1 x", "EXEC");
    EXPECT_THAT(h.client().Received(),
                ElementsAre("OK", StartsWith("-ERR"), "QUEUED",
                            "-EXECABORT Transaction discarded because of previous errors."))
        << bad;
    EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  }
}

TEST(RedisHandlerTest, DiscardForgetsTheTransaction) {
  SessionHarness h;
  h.client().Sends("MULTI", "SET a1 x", "DISCARD", "EXEC", "DISCARD");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "QUEUED", "OK", "-ERR EXEC without MULTI",
                                                 "-ERR DISCARD without MULTI"));
  h.client().Sends("MULTI", "EXEC");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "[]"));
}

TEST(RedisHandlerTest, ATransactionThatExpiresIsDiscardedWhole) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  h.client().Sends("MULTI", "GET a1", "EXEC");
  h.shard("a").Sends("+OK\r\n");
  h.Advance(milliseconds(100));
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "QUEUED",
                                                 StartsWith("-ERR Connection timed"
                                                            " out")));
  h.client().Sends("GET a2");
  h.shard("a").Sends("+QUEUED\r\n*1\r\n$1\r\nx\r\n");
  EXPECT_THAT(h.client().Received(), IsEmpty());
  h.shard("a").Replies("two");
  EXPECT_THAT(h.client().Received(), ElementsAre("two"));
}

TEST(RedisHandlerTest, ATransactionWithoutKeysGoesToAShardThatIsNotEjected) {
  SessionHarness h;
  h.selector().SetHealth(h.context().pool->ring, {false, true});
  h.client().Sends("MULTI", "PING", "EXEC");
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("MULTI", "PING", "EXEC"));
  h.shard("b").Sends("+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "QUEUED", "[PONG]"));
}

// --- The session's own state ---

TEST(RedisHandlerTest, AHelloThatChangesTheVersionWaitsForTheRepliesBeforeIt) {
  SessionHarness h(OneShard());
  h.client().Sends("GET a1", "HELLO 3", "GET a2");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.shard("a").Replies("one");
  // From here on, over a connection that speaks RESP3.
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("HELLO 3"));
  EXPECT_EQ(h.shard("a").connections(), 2u);
  h.shard("a").Sends("%1\r\n+proto\r\n:3\r\n");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a2"));
  h.shard("a").Sends("_\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", StartsWith("{server"), "(nil)"));
}

// The first client speaks RESP3 with a shard that answers "SET a1 old" by and by.
void WritesInResp3(SessionHarness& h) {
  h.client().Sends("HELLO 3", "SET a1 old");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("{server")));
  h.shard("a").SendsOn(0, "%1\r\n+proto\r\n:3\r\n");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("HELLO 3", "SET a1 old"));
}

TEST(RedisHandlerTest, AWriteAfterResetNeverOvertakesOneBeforeIt) {
  SessionHarness h;
  WritesInResp3(h);
  h.client().Sends("RESET", "SET a1 new");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  h.shard("a").SendsOn(0, "+OK\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "SET a1 new")));
  h.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "RESET", "OK"));
}

TEST(RedisHandlerTest, AWriteInAnotherVersionNeverOvertakesOneThatTimedOut) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  WritesInResp3(h);
  h.Advance(std::chrono::milliseconds(100));
  h.client().Sends("HELLO 2", "SET a1 new", "GET b1");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  EXPECT_THAT(h.shard("b").Received(), ElementsAre("GET b1"));
  h.shard("b").Replies("b");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR Connection timed out"), StartsWith("[server"),
                          StartsWith("-ERR an earlier request of this connection timed out"), "b"));
  // Back in its version it may follow.
  h.client().Sends("HELLO 3", "SET a1 third");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "SET a1 third")));
  h.shard("a").SendsOn(0, "+late\r\n+OK\r\n");
  h.client().Sends("HELLO 2", "SET a1 new");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "SET a1 new")));
  h.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("{server"), "OK", StartsWith("[server"), "OK"));
}

TEST(RedisHandlerTest, AWriteNeverOvertakesAnotherBecauseSomeShardRefusedResp3) {
  SessionHarness h;
  WritesInResp3(h);
  h.client().Sends("GET b1");
  h.shard("b").Sends("-NOPROTO unsupported protocol version\r\n");
  h.client().Sends("SET a1 new");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  h.shard("a").SendsOn(0, "+OK\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "SET a1 new")));
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", StartsWith("-NOPROTO shard b")));
}

TEST(RedisHandlerTest, ClientReplyOffAndSkipDropRepliesAndKeepTheOrder) {
  SessionHarness h;
  h.client().Sends("CLIENT REPLY SKIP", "GET a1", "GET a2", "CLIENT REPLY OFF", "GET a3",
                   "MGET a1 b1", "NOSUCH", "CLIENT REPLY ON", "GET a4");
  EXPECT_THAT(h.shard("a").Received(),
              ElementsAre("GET a1", "GET a2", "GET a3", "MGET a1", "GET a4"));
  h.shard("a").Sends("$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n*1\r\n$1\r\nx\r\n$1\r\n4\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("2"));
  h.shard("b").Sends("*1\r\n$1\r\ny\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK", "4"));
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
}

TEST(RedisHandlerTest, NothingIsForwardedBeforeThePassword) {
  SessionHarness h([](PoolConfig& pool) { pool.redis_auth = "secret"; });
  h.client().Sends("GET a1", "PING", "AUTH wrong", "AUTH secret", "GET a1");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-NOAUTH"), StartsWith("-NOAUTH"), StartsWith("-"), "OK"));
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("AUTH secret"));
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
}

TEST(RedisHandlerTest, AClientWithoutThePasswordMakesTheProxyHoldNothingLarge) {
  for (std::string_view beginning : {"*3\r\n$3\r\nSET\r\n$2\r\na1\r\n$60000000\r\nx",
                                     "*5000\r\n$4\r\nMSET\r\n", "*2\r\n$4\r\nAUTH\r\n$20000\r\n"}) {
    SessionHarness h([](PoolConfig& pool) { pool.redis_auth = "secret"; });
    h.client().SendsBytes(beginning);
    EXPECT_THAT(h.client().Received(), ElementsAre("-NOAUTH Authentication required."));
    EXPECT_TRUE(h.client().disconnected());
    EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
    EXPECT_EQ(h.shard("a").connections(), 0u);
  }
}

}  // namespace
}  // namespace weir
