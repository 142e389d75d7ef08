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

}  // namespace
}  // namespace weir
