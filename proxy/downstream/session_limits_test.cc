// What one session may hold and cost: its unsent output, its share of a turn, and what it may do
// while memory is short. Transcripts over the whole in-process data plane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"
#include "proxy/config/snapshot.h"
#include "proxy/downstream/session.h"
#include "tests/support/repeat.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST(SessionLimitsTest, AReloadThatLowersTheOutputLimitHoldsForSessionsThatAreThere) {
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

TEST(SessionLimitsTest, AClientThatNeverReadsIsClosedAtItsOutputLimitAndNobodyElse) {
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

TEST(SessionLimitsTest, AClientThatReadsIsNotClosedForTheRepliesOfOneTurn) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 65536; });
  // So many that all are in flight at once.
  const std::string request = Repeat(FakeClient::Encode("GET a1"), 16);
  const std::string value(4000, 'x');
  // Each shard has less than the limit to say, both together more.
  for (const char* name : {"a", "b"}) {
    h.shard(name).Answers([&](const auto&) { return EncodeBulk(value); });
  }
  h.client().SendsBytes(request + Repeat(FakeClient::Encode("GET b1"), 16));
  EXPECT_THAT(h.client().Received(), AllOf(SizeIs(32), Each(value)));
  EXPECT_EQ(h.stats().closed_by_output_limit.Get(), 0u);
}

TEST(SessionLimitsTest, AClientThatIsGoneWhenMuchComesCountsAsAnErrorAndNotAsAnOutputLimit) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd client(ends[1]);
  int turns_to_come = 0;  // until both shards' answers are read, in one turn
  SessionHarness::Options options;
  options.pool.session_output_limit = 65536;
  options.around_turn = [&](bool begins) {
    if (begins && turns_to_come > 0 && --turns_to_come == 0) client.Close();
  };
  SessionHarness h(std::move(options));
  h.AddSession(UniqueFd(ends[0]));
  for (const char* name : {"a", "b"}) {
    h.shard(name).Answers([&](const auto&) {
      turns_to_come = 2;
      return EncodeBulk(std::string(6000, 'x'));
    });
  }
  // Few enough that the session still reads, so that it meets the error in writing.
  const std::string requests =
      Repeat(FakeClient::Encode("GET a1"), 10) + Repeat(FakeClient::Encode("GET b1"), 10);
  ASSERT_EQ(write(client.get(), requests.data(), requests.size()), std::ssize(requests));
  h.Settle();
  EXPECT_EQ(h.sessions(), 0u);
  EXPECT_EQ(h.stats().client_err.Get(), 1u);
  EXPECT_EQ(h.stats().closed_by_output_limit.Get(), 0u);
}

TEST(SessionLimitsTest, WhatWaitsBehindAMergedReplyThatFillsTheOutputLimitClosesNothing) {
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

TEST(SessionLimitsTest, OfTwoMergedRepliesThatExceedTheOutputLimitTogetherOnePasses) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().Sends("MGET a1 b1", "MGET a2 b2");
  const std::string large = "*1\r\n$700000\r\n" + std::string(700'000, 'x') + "\r\n";
  h.shard("a").Sends(large);
  h.shard("a").Sends(large);
  h.shard("b").Sends("*1\r\n$1\r\nb\r\n*1\r\n$1\r\nb\r\n");
  EXPECT_THAT(h.client().Received(),
              ElementsAre(StartsWith("-ERR the reply is larger"), SizeIs(testing::Gt(700'000u))));
}

TEST(SessionLimitsTest, OfSeveralMergesThatExceedTheOutputLimitOnlyTheLargeOneIsGivenUp) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().Sends("MGET a1 b1", "DEL a2 b2");
  h.shard("b").Sends("*1\r\n$1\r\nb\r\n:1\r\n");
  h.shard("a").Sends("*1\r\n$2000000\r\n" + std::string(2'000'000, 'x') + "\r\n:1\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre(StartsWith("-ERR the reply is larger"), ":2"));
}

TEST(SessionLimitsTest, AClientThatOnlyAsksTheProxyAndNeverReadsIsHeldBackAndLosesNothing) {
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = 1 << 20; });
  h.client().StopsReading();
  const std::string ping = FakeClient::Encode("GET") + FakeClient::Encode("PING");
  // Two megabytes of errors and pongs.
  h.client().SendsBytes(Repeat(ping, 40'000));
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_LE(h.session(0).unsent(), 1u << 20);
  h.client().ReadsOn();
  EXPECT_THAT(h.client().Received(), SizeIs(80'000));
}

TEST(SessionLimitsTest, AClientThatWritesItsWholePipelineBeforeItReadsIsServed) {
  constexpr uint64_t kLimit = 1 << 20;
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = kLimit; });
  const std::string value(1000, 'x');
  h.shard("a").Answers([&](const auto&) { return EncodeBulk(value); });
  const std::string request = FakeClient::Encode("GET a1");
  // More than a socket holds; their replies are several times the limit.
  const size_t count = kLimit / 2 / request.size();
  h.client().StopsReading();
  h.client().SendsBytes(Repeat(request, count));
  EXPECT_EQ(h.client().unsent_bytes(), 0u);
  EXPECT_LE(h.session(0).unsent(), kLimit);
  h.client().ReadsOn();
  EXPECT_THAT(h.client().Received(), AllOf(SizeIs(count), Each(value)));
  EXPECT_EQ(h.session(0).held(), 0u);
}

TEST(SessionLimitsTest, OfAClientThatNeverReadsBoundedInputIsKept) {
  constexpr uint64_t kLimit = 1 << 20;
  SessionHarness h([](PoolConfig& pool) { pool.session_output_limit = kLimit; });
  h.shard("a").Answers([&](const auto&) { return EncodeBulk(std::string(1000, 'x')); });
  h.client().StopsReading();
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 200'000));
  EXPECT_GT(h.client().unsent_bytes(), 0u);
  EXPECT_EQ(h.sessions(), 1u);
  // Replies, and input with the room that it has to grow.
  EXPECT_LE(h.session(0).held(), 2 * kLimit);
}

TEST(SessionLimitsTest, AFloodOfCommandRequestsByOneClientMakesNoLongTurns) {
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

TEST(SessionLimitsTest, WhatWasReadOfAFloodOfCommandRequestsIsAnsweredBeforeTheEnd) {
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

TEST(SessionLimitsTest, ASessionThatRestsIsNotTakenForAClientThatStoppedInARequest) {
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

TEST(SessionLimitsTest, UnderMemoryPressureASessionWithUnsentOutputIsNotRead) {
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

TEST(SessionLimitsTest, UnderMemoryPressureASessionHasOneRequestInFlight) {
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

}  // namespace
}  // namespace weir
