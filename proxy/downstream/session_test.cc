// What one session promises: replies in request order, a window, limits, endings. Transcripts over
// the whole in-process data plane.
#include "proxy/downstream/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/event/socket.h"
#include "tests/support/every_split_of.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::string Repeat(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

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

// --- Limits ---

TEST(SessionTest, AReloadThatLowersTheOutputLimitHoldsForSessionsThatAreThere) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 8 << 20; });
  h.client().StopsReading();
  h.client().Sends("GET a1");
  h.shard("a").Replies(std::string(2'000'000, 'x'));
  h.shard("a").Received();
  auto pool = std::make_shared<PoolSnapshot>(*h.context().pool);
  pool->config.session_output_limit = 2 << 20;
  h.context().pool = pool;
  h.session(0).Resume();
  h.client().Sends("GET a2");
  EXPECT_THAT(h.shard("a").Received(), IsEmpty()) << "more than half of the limit is unsent";
  h.client().ReadsOn();
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a2"));
}

TEST(SessionTest, AClientThatNeverReadsIsClosedAtItsOutputLimitAndNobodyElse) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client(0).StopsReading();
  h.client(0).Sends("GET a1", "GET a2", "GET a3");
  h.client(1).Sends("GET a4");
  const std::string value(900'000, 'x');
  h.shard("a").Replies(value);
  EXPECT_EQ(h.sessions(), 2u);
  h.shard("a").Replies(value);
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_EQ(h.stats().closed_by_output_limit.Get(), 1u);
  // The rest of its replies is discarded by position, and the connection stays.
  h.shard("a").Replies(value);
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
  h.shard("a").Replies("mine");
  EXPECT_THAT(h.client(1).Received(), ElementsAre("mine"));
  EXPECT_EQ(h.shard("a").connections(), 1u);
}

TEST(SessionTest, WhatWaitsBehindAMergedReplyThatFillsTheOutputLimitClosesNothing) {
  constexpr uint64_t kLimit = 1 << 20;
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = kLimit; });
  h.client().Sends("MGET a1 b1", "GET b2", "PING");
  std::string half = "*1\r\n$2000000\r\n";
  half.resize(kLimit, 'x');
  h.shard("a").Sends(half);  // with the PONG that waits, 7 bytes too many
  EXPECT_EQ(h.sessions(), 1u);
  h.shard("b").Sends("*1\r\n$1\r\nb\r\n");
  h.shard("b").Replies("2");
  h.shard("a").Sends(std::string(2'000'000 + 16 - half.size(), 'x') + "\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR the reply is larger"), "2", "PONG"));
  EXPECT_EQ(h.stats().closed_by_output_limit.Get(), 0u);
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
}

TEST(SessionTest, OfTwoMergedRepliesThatExceedTheOutputLimitTogetherOnePasses) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().Sends("MGET a1 b1", "MGET a2 b2");
  const std::string large = "*1\r\n$700000\r\n" + std::string(700'000, 'x') + "\r\n";
  h.shard("a").Sends(large);
  h.shard("a").Sends(large);
  h.shard("b").Sends("*1\r\n$1\r\nb\r\n*1\r\n$1\r\nb\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR the reply is larger"), SizeIs(testing::Gt(700'000u))));
}

TEST(SessionTest, OfSeveralMergesThatExceedTheOutputLimitOnlyTheLargeOneIsGivenUp) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().Sends("MGET a1 b1", "DEL a2 b2");
  h.shard("b").Sends("*1\r\n$1\r\nb\r\n:1\r\n");
  h.shard("a").Sends("*1\r\n$2000000\r\n" + std::string(2'000'000, 'x') + "\r\n:1\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR the reply is larger"), ":2"));
}

TEST(SessionTest, AClientThatOnlyAsksTheProxyAndNeverReadsIsHeldBackAndLosesNothing) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().StopsReading();
  const std::string ping = FakeClient::Encode("GET") + FakeClient::Encode("PING");
  // Two megabytes of errors and pongs.
  h.client().SendsBytes(Repeat(ping, 40'000));
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_LE(h.chunks().bytes_in_use(), 1u << 20);
  h.client().ReadsOn();
  EXPECT_THAT(h.client().Received(), SizeIs(80'000));
}

TEST(SessionTest, AFloodOfCommandRequestsByOneClientMakesNoLongTurns) {
  SessionHarness* harness = nullptr;
  uint64_t before = 0;
  uint64_t most = 0;  // answers in a turn
  SessionHarness::Options options;
  options.around_turn = [&](bool begins) {
    if (harness == nullptr) return;
    const uint64_t answers = harness->stats().local_replies.Get();
    if (begins) before = answers;
    most = std::max(most, answers - before);
  };
  SessionHarness h(std::move(options));
  harness = &h;
  h.client().SendsBytes(Repeat("COMMAND COUNT\r\n", 1000));
  EXPECT_THAT(h.client().Received(), SizeIs(1000));
  EXPECT_LE(most, 8u);
  most = 0;
  h.client().SendsBytes(Repeat("COMMAND\r\n", 20) + "GET a1\r\nCOMMAND\r\nPING\r\n");
  EXPECT_THAT(h.client().Received(), SizeIs(20));
  EXPECT_LE(most, 8u);
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", StartsWith("["), "PONG"));
  // What costs little is answered at once.
  most = 0;
  h.client().SendsBytes(Repeat("PING\r\n", 1000));
  EXPECT_THAT(h.client().Received(), SizeIs(1000));
  EXPECT_EQ(most, 1000u);
}

TEST(SessionTest, WhatWasReadOfAFloodOfCommandRequestsIsAnsweredBeforeTheEnd) {
  SessionHarness* harness = nullptr;
  bool ends = false;
  SessionHarness::Options options;
  options.around_turn = [&](bool begins) {
    if (harness == nullptr || ends || begins || harness->stats().local_replies.Get() == 0) return;
    ends = true;
    harness->session(0).EndAfterInput();
  };
  SessionHarness h(std::move(options));
  harness = &h;
  h.client().SendsBytes(Repeat("COMMAND COUNT\r\n", 100) + "PING\r\n");
  EXPECT_TRUE(ends);
  EXPECT_THAT(h.client().Received(), SizeIs(101));
  EXPECT_TRUE(h.client().disconnected());
}

TEST(SessionTest, ASessionThatRestsIsNotTakenForAClientThatStoppedInARequest) {
  SessionHarness* harness = nullptr;
  int rests = 0;  // turns after which input is held
  SessionHarness::Options options;
  options.around_turn = [&](bool begins) {
    if (harness == nullptr || begins || harness->sessions() == 0) return;
    if (harness->session(0).held() > 0) ++rests;
    harness->session(0).CheckProgress(Duration::zero());
  };
  SessionHarness h(std::move(options));
  harness = &h;
  h.client().SendsBytes("CLIENT REPLY OFF\r\n" + Repeat("COMMAND COUNT\r\n", 50));
  EXPECT_GE(rests, 2);
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_EQ(h.stats().closed_by_progress_limit.Get(), 0u);
}

// --- Endings ---

TEST(SessionTest, AClientThatHalfClosesGetsAllItsReplies) {
  SessionHarness h;
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 100));
  h.client().EndsInput();
  EXPECT_EQ(h.stats().client_eof.Get(), 0u) << "the end is behind requests not read yet";
  for (int rounds = 0; rounds < 4; ++rounds) {
    h.shard("a").Sends(Repeat("$1\r\nx\r\n", h.shard("a").Received().size()));
  }
  EXPECT_THAT(h.client().Received(), SizeIs(100));
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_EQ(h.sessions(), 0u);
}

TEST(SessionTest, AClientThatHalfClosesInARequestIsClosed) {
  SessionHarness h;
  h.client().SendsBytes("*2\r\n$3\r\nGET\r\n$2\r\n");
  h.client().EndsInput();
  EXPECT_TRUE(h.client().disconnected());
}

TEST(SessionTest, QuitAnswersEverythingBeforeAndNothingBehind) {
  SessionHarness h;
  h.client().Sends("GET a1", "QUIT", "GET a2");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", "OK"));
  EXPECT_TRUE(h.client().disconnected());
}

TEST(SessionTest, BytesThatAreNotTheProtocolEndItAfterTheRepliesBefore) {
  SessionHarness h;
  h.client().SendsBytes(FakeClient::Encode("GET a1") + "*1\r\n!oops\r\n" +
                        FakeClient::Encode("GET a2"));
  EXPECT_EQ(h.stats().protocol_errors.Get(), 1u);
  EXPECT_FALSE(h.client().disconnected());
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", HasSubstr("rotocol error")));
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
}

// Two ends of a TCP connection over loopback: the proxy's, and a client's.
std::pair<UniqueFd, UniqueFd> TcpPair() {
  absl::StatusOr<UniqueFd> listener = ListenOn(*LiteralAddress(TcpEndpoint("127.0.0.1", 0)), {});
  CHECK(listener.ok());
  sockaddr_in address = {};
  socklen_t length = sizeof(address);
  CHECK_EQ(getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  UniqueFd proxy = AcceptFrom(listener->get());
  CHECK(proxy.valid());
  return {std::move(proxy), std::move(client)};
}

TEST(SessionTest, TheLastRepliesArriveWholeAlthoughTheClientHadSentMore) {
  SessionHarness h;
  auto [proxy, client] = TcpPair();
  // All of it fits the proxy's side of the socket, and not all of it the client's.
  const std::string value(300'000, 'x');
  const int room = 1 << 20;
  setsockopt(proxy.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  h.AddSession(std::move(proxy));
  const auto sends = [&h, &client](std::string_view bytes) {
    EXPECT_EQ(send(client.get(), bytes.data(), bytes.size(), 0), std::ssize(bytes));
    h.Settle();
  };
  sends(FakeClient::Encode("GET a1") + FakeClient::Encode("QUIT"));
  sends(Repeat(FakeClient::Encode("GET a2"), 1000));  // stays unread
  h.shard("a").Replies(value);
  std::string received;
  char buffer[1 << 16];
  for (;;) {
    pollfd readable = {.fd = client.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&readable, 1, /*ms=*/10'000), 1);
    const ssize_t got = recv(client.get(), buffer, sizeof(buffer), 0);
    ASSERT_GE(got, 0) << "the connection was reset";
    if (got == 0) break;
    received.append(buffer, static_cast<size_t>(got));
    h.Settle();
  }
  EXPECT_EQ(received, EncodeBulk(value) + "+OK\r\n");
  client.Close();
  h.Settle();
  EXPECT_EQ(h.sessions(), 0u);
}

TEST(SessionTest, ASessionThatIsOverWaitsForItsClientsEndForAnInstantOnly) {
  SessionHarness h;
  h.client(0).Sends("QUIT");
  EXPECT_TRUE(h.client(0).disconnected());
  EXPECT_TRUE(h.session(0).quiet()) << "a drain need not wait for it";
  EXPECT_EQ(h.sessions(), 1u);
  h.client(0).Leaves();
  EXPECT_EQ(h.sessions(), 0u);
  h.client(1).Sends("QUIT");
  h.Advance(Session::kLinger - std::chrono::milliseconds(1));
  EXPECT_EQ(h.sessions(), 1u);
  h.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(h.sessions(), 0u);
}

TEST(SessionTest, ASessionThatIsOverDiscardsOnlySoMuchOfWhatItsClientSends) {
  SessionHarness h;
  h.client().Sends("QUIT");
  h.client().SendsBytes(std::string(Session::kLingerBytes, 'x'));
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
  h.client().SendsBytes("x");
  EXPECT_EQ(h.sessions(), 0u);
  EXPECT_EQ(h.stats().requests.Get(), 1u);
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

TEST(SessionTest, UnderMemoryPressureASessionWithUnsentOutputIsNotRead) {
  SessionHarness h;
  h.client(0).StopsReading();
  h.client(0).Sends("GET a1");
  h.shard("a").Replies(std::string(2'000'000, 'x'));
  h.shard("a").Received();
  h.context().memory_pressure = true;
  h.session(0).Resume();
  h.client(0).Sends("GET a2");
  h.client(1).Sends("GET a3");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a3"));
  h.client(0).ReadsOn();
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a2")) << "its output is gone";
}

TEST(SessionTest, UnderMemoryPressureASessionHasOneRequestInFlight) {
  SessionHarness h;
  h.context().memory_pressure = true;
  h.client().Sends("SET a1 x", "SET a2 x", "SET a3 x");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("SET a1 x"));
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("SET a2 x"));
  h.context().memory_pressure = false;
  h.session(0).Resume();
  h.client().Sends("SET a4 x");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("SET a3 x", "SET a4 x"));
}

TEST(SessionTest, AHalfClosedClientWithAnUnfinishedRequestDoesNotSpinWhileItsRepliesAreDue) {
  SessionHarness h;
  h.client().SendsBytes(FakeClient::Encode("GET a1") + "*2\r\n$3\r\nGET\r\n$2\r\n");
  h.client().EndsInput();
  EXPECT_FALSE(h.client().disconnected());
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one"));
  EXPECT_TRUE(h.client().disconnected());
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
