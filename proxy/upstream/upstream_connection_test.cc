// One connection to one scripted shard, on a loop whose clock the test moves.
#include "proxy/upstream/upstream_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/support/every_split_of.h"
#include "tests/support/fake_event_loop.h"
#include "tests/support/resp.h"
#include "tests/support/scripted_ends.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string_view Text(Failure failure) {
  switch (failure) {
    case Failure::kUnavailable:
      return "unavailable";
    case Failure::kOverloaded:
      return "overloaded";
    case Failure::kReset:
      return "reset";
    case Failure::kProtocol:
      return "protocol";
    case Failure::kSilent:
      return "silent";
    case Failure::kTimedOut:
      return "timed out";
    case Failure::kTimedOutUnsent:
      return "timed out unsent";
    case Failure::kResp3Refused:
      return "RESP3 refused";
    case Failure::kRemoved:
      return "removed";
    default:
      return "?";
  }
}

// Writes down what the layers above are told.
class RecordingSink final : public ReplySink, public ShardObserver {
 public:
  void OnReplyParts(std::span<const ReplyPart> parts) override {
    for (const ReplyPart& part : parts) {
      std::string& reply = replies_[part.fragment];
      reply += part.bytes;
      if (pass_on) part.fragment->passed_on = true;
      if (!part.last) continue;
      std::string_view rest = reply;
      Note(*part.fragment, TakeReplyText(&rest).value_or("?"));
      EXPECT_EQ(rest, "");
      EXPECT_EQ(part.type, reply[0]);
      replies_.erase(part.fragment);
    }
    if (on_parts) std::exchange(on_parts, nullptr)();
  }
  void OnFragmentFailed(Fragment* fragment, Failure failure) override {
    replies_.erase(fragment);
    Note(*fragment, StrCat("failed: ", Text(failure)));
  }
  void OnFragmentReleased(Fragment* fragment) override { Note(*fragment, "released"); }
  void OnShardFailure(uint32_t shard, ShardFailure failure) override {
    static constexpr std::string_view kNames[] = {"connect", "reset", "protocol", "silence"};
    verdicts.emplace_back(kNames[static_cast<size_t>(failure)]);
  }
  void OnShardSuccess(uint32_t shard) override { verdicts.emplace_back("success"); }
  void OnResp3Refused(uint32_t shard) override { resp3_refused = true; }
  bool resp3_refused = false;

  void Note(const Fragment& fragment, std::string_view what) {
    events.push_back(StrCat(names[&fragment], " ", what));
  }

  std::vector<std::string> events;  // "1 value", "2 failed: reset"
  std::vector<std::string> verdicts;
  std::map<const Fragment*, std::string> names;
  bool pass_on = false;  // as a session does with the replies at its head
  std::function<void()> on_parts;

 private:
  std::map<const Fragment*, std::string> replies_;
};

class UpstreamConnectionTest : public testing::Test {
 protected:
  ~UpstreamConnectionTest() override {
    connection_.reset();
    loop_.RunTurn(Duration::zero());
    EXPECT_EQ(stats_.out_queue.Get(), 0);
    EXPECT_EQ(stats_.server_connections.Get(), 0);
  }

  UpstreamConnection& connection() {
    if (connection_ == nullptr) {
      connection_ = std::make_unique<UpstreamConnection>(context_, settings_, addresses_, stats_, 0,
                                                         version_);
    }
    return *connection_;
  }

  // "1" is how events call it.
  std::optional<Failure> Queue(const std::string& name, std::string_view words,
                               uint32_t replies_to_skip = 0) {
    fragments_.push_back(std::make_unique<Fragment>());
    Fragment& fragment = *fragments_.back();
    fragment.replies_to_skip = replies_to_skip;
    sink_.names[&fragment] = name;
    return connection().Send(&fragment, FakeClient::Encode(words));
  }
  std::optional<Failure> Send(const std::string& name, std::string_view words) {
    const std::optional<Failure> refused = Queue(name, words);
    Settle();
    return refused;
  }
  void SendBeginning(const std::string& name, std::string_view words) {
    fragments_.push_back(std::make_unique<Fragment>());
    sink_.names[fragments_.back().get()] = name;
    ASSERT_EQ(connection().SendBeginning(fragments_.back().get(), FakeClient::Encode(words)),
              std::nullopt);
    Settle();
  }
  Fragment& last_fragment() { return *fragments_.back(); }

  void Settle() {
    for (int idle = 0, turns = 0; idle < 2; ++turns) {
      CHECK_LT(turns, 10'000);
      const bool moved = shard_.Pump();
      loop_.RunTurn(Duration::zero());
      idle = moved || loop_.events_in_last_turn() > 0 ? 0 : idle + 1;
    }
  }
  void Advance(Duration by) {
    loop_.Advance(by);
    Settle();
  }
  std::vector<std::string> Events() { return std::exchange(sink_.events, {}); }
  std::vector<std::string> Verdicts() { return std::exchange(sink_.verdicts, {}); }

  TempDirectory directory_;
  ChunkPool chunks_;
  FakeEventLoop loop_;
  RecordingSink sink_;
  PoolStats pool_stats_;
  ShardStats stats_;
  UpstreamContext context_ = {loop_, chunks_, sink_, sink_, pool_stats_};
  ConnectionSettings settings_;
  RespVersion version_ = RespVersion::kResp2;
  FakeShard shard_{[this] { Settle(); }, directory_.path() + "/shard"};
  std::vector<ResolvedAddress> addresses_ = {
      *LiteralAddress(UnixEndpoint(directory_.path() + "/shard"))};
  std::vector<std::unique_ptr<Fragment>> fragments_;
  std::unique_ptr<UpstreamConnection> connection_;
};

// --- Replies ---

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
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  Send("1", "GET x");
  Send("2", StrCat("SET x ", std::string(1'000'000, 'x')));  // more than the socket takes
  Send("3", "GET y");
  ASSERT_GT(connection().unsent(), 0u);
  shard_.Sends("$1\r\nX\r\n$5\r\nstray\r\n");
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 X", "2 failed: protocol", "3 failed: protocol"));
  EXPECT_FALSE(connection().ready());
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
}

TEST_F(UpstreamConnectionTest, TheBeginningOfAReplyIsTooEarlyAsWell) {
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  Send("1", StrCat("SET x ", std::string(1'000'000, 'x')));
  shard_.Sends("$5\r\nst");
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 failed: protocol"));
}

TEST_F(UpstreamConnectionTest, ARequestRefusedInItsMiddleGetsTheErrorAndEndsTheConnection) {
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  Send("1", StrCat("SET x ", std::string(1'000'000, 'x')));
  Send("2", "GET y");
  shard_.Sends("-ERR invalid bulk length\r\n$5\r\nstray\r\n");
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 -ERR invalid bulk length", "2 failed: reset"));
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
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  fragments_.push_back(std::make_unique<Fragment>());
  last_fragment().replies_to_skip = 2;
  sink_.names[&last_fragment()] = "1";
  const std::string set = FakeClient::Encode(StrCat("SET x ", std::string(1'000'000, 'x')));
  const std::string frames = StrCat(FakeClient::Encode("MULTI"), set, FakeClient::Encode("EXEC"));
  ASSERT_EQ(connection().Send(&last_fragment(), frames), std::nullopt);
  Settle();
  ASSERT_GT(connection().unsent(), 0u);
  shard_.Sends("+OK\r\n");
  EXPECT_TRUE(shard_.connected());
  shard_.ReadsOn();
  shard_.Sends("+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 [OK]"));
}

TEST_F(UpstreamConnectionTest, GarbageFailsWhatIsPendingAndKeepsTheRepliesBefore) {
  Queue("1", "GET x");
  Queue("2", "GET y");
  Send("3", "GET z");
  shard_.Sends("$1\r\nX\r\nHTTP/1.1 400\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: protocol", "3 failed: protocol"));
  EXPECT_THAT(Verdicts(), ElementsAre("protocol"));
}

TEST_F(UpstreamConnectionTest, AShardThatClosesInMidReplyFailsWhatIsPending) {
  Queue("1", "GET x");
  Send("2", "GET y");
  shard_.Sends("$1\r\nX\r\n$10\r\nhal");
  shard_.ClosesConnection();
  EXPECT_THAT(Events(), ElementsAre("1 X", "2 failed: reset"));
  EXPECT_THAT(Verdicts(), ElementsAre("reset"));
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

// --- Handshake and back-off ---

TEST_F(UpstreamConnectionTest, IntroducesItselfBeforeItWritesWhatWaited) {
  settings_.auth = "secret";
  settings_.db = 3;
  version_ = RespVersion::kResp3;
  Send("1", "GET x");
  EXPECT_THAT(shard_.Received(), ElementsAre("AUTH secret", "SELECT 3", "HELLO 3"));
  shard_.Sends("+OK\r\n+OK\r\n%1\r\n+proto\r\n");
  EXPECT_FALSE(connection().ready());
  EXPECT_THAT(shard_.Received(), IsEmpty());
  shard_.Sends(":3\r\n");
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x"));
  shard_.Sends("$1\r\nX\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 X"));
}

TEST_F(UpstreamConnectionTest, ARefusedPasswordFailsWhatWaitsAndIsTriedAgainLater) {
  settings_.auth = "secret";
  Send("1", "GET x");
  shard_.Sends("-WRONGPASS no\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 failed: unavailable"));
  EXPECT_THAT(Verdicts(), ElementsAre("connect"));
  EXPECT_EQ(Send("2", "GET x"), Failure::kUnavailable);
  Advance(milliseconds(50));
  EXPECT_EQ(shard_.connections(), 2u);
  EXPECT_EQ(Send("3", "GET x"), std::nullopt);
  shard_.Received();
  shard_.Sends("+OK\r\n");
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x")) << "and nothing that was refused";
  shard_.Sends("$1\r\nX\r\n");
  EXPECT_THAT(Events(), ElementsAre("3 X"));
  EXPECT_THAT(Verdicts(), ElementsAre("success"));
}

TEST_F(UpstreamConnectionTest, AShardThatKnowsOnlyResp2IsNotBlamed) {
  version_ = RespVersion::kResp3;
  Send("1", "GET x");
  shard_.Sends("-NOPROTO unsupported\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 failed: RESP3 refused"));
  EXPECT_TRUE(sink_.resp3_refused);
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectionTest, AShardThatNeverIntroducesItselfIsGivenUp) {
  settings_.auth = "secret";
  settings_.silence_limit = milliseconds(1000);
  Send("1", "GET x");
  Advance(milliseconds(999));
  EXPECT_THAT(Events(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(Events(), ElementsAre("1 failed: unavailable"));
  EXPECT_THAT(Verdicts(), ElementsAre("connect"));
  EXPECT_FALSE(shard_.connected());
}

TEST_F(UpstreamConnectionTest, BacksOffTwiceAsLongEachTimeUpToASecond) {
  shard_.StopsListening();
  Send("1", "GET x");
  EXPECT_THAT(Events(), ElementsAre("1 failed: unavailable"));
  uint64_t attempts = 1;
  for (int delay : {50, 100, 200, 400, 800, 1000, 1000, 1000}) {
    EXPECT_EQ(stats_.server_err.Get(), attempts);
    EXPECT_EQ(Send("2", "GET x"), Failure::kUnavailable);
    Advance(milliseconds(delay - 1));
    EXPECT_EQ(stats_.server_err.Get(), attempts) << delay;
    Advance(milliseconds(1));
    EXPECT_EQ(stats_.server_err.Get(), ++attempts) << delay;
  }
  // Alive again, noticed without anybody asking.
  Verdicts();
  shard_.Listens();
  Advance(milliseconds(1000));
  EXPECT_TRUE(connection().ready());
  EXPECT_THAT(Verdicts(), ElementsAre("success"));
}

TEST_F(UpstreamConnectionTest, TriesItsAddressesInTurnBeforeItFails) {
  const ResolvedAddress nobody = *LiteralAddress(UnixEndpoint("/nonexistent/socket"));
  addresses_.insert(addresses_.begin(), {nobody, nobody});
  Send("1", "GET x");
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x"));
  EXPECT_THAT(Verdicts(), IsEmpty());
  addresses_.pop_back();
  connection().Close(Failure::kReset);
  EXPECT_THAT(Events(), ElementsAre("1 failed: reset"));
  Send("2", "GET y");
  EXPECT_THAT(Events(), ElementsAre("2 failed: unavailable"));
  EXPECT_THAT(Verdicts(), ElementsAre("connect"));
}

TEST_F(UpstreamConnectionTest, WithoutAnAddressRequestsWaitUntilTheNameIsResolved) {
  const ResolvedAddress address = addresses_[0];
  addresses_.clear();
  Send("1", "GET x");
  EXPECT_THAT(Events(), IsEmpty());
  addresses_.push_back(address);
  connection().OnAddressesChanged();
  Settle();
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectionTest, ANameThatHasNoAddressFailsWhatWaitedForOne) {
  const ResolvedAddress address = addresses_[0];
  addresses_.clear();
  Send("1", "GET x");
  connection().OnAddressesChanged();
  EXPECT_THAT(Events(), ElementsAre("1 failed: unavailable"));
  EXPECT_THAT(Verdicts(), ElementsAre("connect"));
  EXPECT_EQ(Send("2", "GET y"), Failure::kUnavailable);
  addresses_.push_back(address);
  connection().OnAddressesChanged();
  Settle();
  EXPECT_TRUE(connection().ready()) << "sooner than it would have looked again";
}

TEST_F(UpstreamConnectionTest, RequestsWaitForAnAddressNoLongerThanTheirDeadline) {
  addresses_.clear();
  settings_.timeout = milliseconds(100);
  Send("1", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out unsent"));
}

// --- Deadlines ---

TEST_F(UpstreamConnectionTest, AnExpiredRequestFailsAtOnceAndItsLateReplyGoesToNobody) {
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

TEST_F(UpstreamConnectionTest, ALateReplyInPiecesIsDiscardedWhole) {
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

TEST_F(UpstreamConnectionTest, ARequestThatExpiresWhileItWaitsForTheConnectionIsNeverWritten) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  settings_.auth = "secret";
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

TEST_F(UpstreamConnectionTest, ARequestThatExpiresBehindAFullSocketIsNeverWritten) {
  settings_.timeout = milliseconds(100);
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.Received();
  shard_.StopsReading();
  // More than the socket takes: partly written.
  Send("1", StrCat("SET x ", std::string(1'000'000, 'x')));
  ASSERT_GT(connection().unsent(), 0u);
  Send("2", "GET y");
  Send("3", "GET z");
  Advance(milliseconds(60));
  Send("4", "GET last");
  const size_t unsent = connection().unsent();
  Advance(milliseconds(40));
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 failed: timed out", "2 failed: timed out unsent",
                                    "3 failed: timed out unsent"));
  EXPECT_EQ(connection().unsent(), unsent - 2 * FakeClient::Encode("GET y").size());
  shard_.ReadsOn();
  EXPECT_THAT(shard_.Received(), ElementsAre(testing::StartsWith("SET x"), "GET last"));
  shard_.Sends("+OK\r\n$1\r\nL\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 released", "4 L"));
  EXPECT_EQ(pool_stats_.timeouts_queued.Get(), 2u);
  EXPECT_EQ(pool_stats_.timeouts_pending.Get(), 1u);
}

TEST_F(UpstreamConnectionTest, ManyRequestsThatExpireBehindAFullSocketLeaveAtOnce) {
  settings_.timeout = milliseconds(100);
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  Send("large", StrCat("SET x ", std::string(1'000'000, 'x')));
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

TEST_F(UpstreamConnectionTest, WhatWasDroppedIsNotTakenForWritten) {
  settings_.timeout = milliseconds(100);
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  Send("1", StrCat("SET x ", std::string(1'000'000, 'x')));
  Send("2", StrCat("SET y ", std::string(2'000'000, 'y')));
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 failed: timed out", "2 failed: timed out unsent"));
  shard_.Sends("+OK\r\n");
  EXPECT_FALSE(connection().ready()) << "the first request is not written yet";
  EXPECT_EQ(pool_stats_.late_replies_discarded.Get(), 0u);
}

TEST_F(UpstreamConnectionTest, ARequestSentWhileEarlierOnesAreExpiredHasItsOwnDeadline) {
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

TEST_F(UpstreamConnectionTest, ARequestThatStartsAConnectKeepsItsOwnDeadline) {
  settings_.timeout = milliseconds(100);
  settings_.silence_limit = milliseconds(1000);
  settings_.auth = "secret";
  Send("1", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out unsent"));
}

TEST_F(UpstreamConnectionTest, AReplyThatHasBegunToPassHasNoDeadlineButTheSilenceLimit) {
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

TEST_F(UpstreamConnectionTest, ASilenceIsCountedOnceHoweverManyRequestsExpire) {
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

TEST_F(UpstreamConnectionTest, SlowCommandsAreNoSilenceWhileRepliesCome) {
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

TEST_F(UpstreamConnectionTest, BeyondTheSilenceLimitEverythingFailsOnceAndTheConnectionCloses) {
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

TEST_F(UpstreamConnectionTest, WithoutATimeoutTheSilenceLimitAloneEndsAHungShard) {
  settings_.silence_limit = milliseconds(30'000);
  Send("1", "GET x");
  Advance(milliseconds(29'999));
  EXPECT_THAT(Events(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(Events(), ElementsAre("1 failed: silent"));
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
}

TEST_F(UpstreamConnectionTest, AShardThatTakesALargeRequestSlowlyIsNotSilent) {
  settings_.timeout = milliseconds(950);
  settings_.silence_limit = milliseconds(1000);
  Send("0", "PING");
  shard_.Sends("+PONG\r\n");
  shard_.StopsReading();
  Send("1", StrCat("SET x ", std::string(1'000'000, 'x')));
  Advance(milliseconds(900));
  shard_.ReadsOn();
  Advance(milliseconds(50));
  EXPECT_THAT(Events(), ElementsAre("0 PONG", "1 failed: timed out"));
  EXPECT_THAT(Verdicts(), IsEmpty());
  Advance(milliseconds(949));
  EXPECT_TRUE(connection().ready());
  Advance(milliseconds(1));
  EXPECT_FALSE(connection().ready()) << "everything was taken, and no reply came";
  EXPECT_THAT(Verdicts(), ElementsAre("silence"));
}

TEST_F(UpstreamConnectionTest, WhatAHungShardsSocketTakesAtOnceIsNoSignOfLife) {
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

TEST_F(UpstreamConnectionTest, AnIdleConnectionIsNeverSilent) {
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

TEST_F(UpstreamConnectionTest, ASuspectShardQueuesNoMoreThanItsLimitOfRequests) {
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

TEST_F(UpstreamConnectionTest, ASuspectShardQueuesNoMoreThanItsLimitOfBytes) {
  settings_.auth = "secret";
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
