// Until a connection serves: addresses, handshake, back-off.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/base/strings.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/sanitizers.h"
#include "tests/support/upstream_connection_harness.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

using UpstreamConnectingTest = UpstreamConnectionHarness;

TEST_F(UpstreamConnectingTest, IntroducesItselfBeforeItWritesWhatWaited) {
  settings_.login.auth = "secret";
  settings_.login.db = 3;
  variant_ = ConnectionVariant::kNewer;
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

TEST_F(UpstreamConnectingTest, ARefusedPasswordFailsWhatWaitsAndIsTriedAgainLater) {
  settings_.login.auth = "secret";
  Send("1", "GET x");
  shard_.Sends("-WRONGPASS no\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 failed: refused"));
  EXPECT_THAT(Verdicts(), ElementsAre("connect"));
  EXPECT_EQ(Send("2", "GET x"), Failure::kRefused);
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

TEST_F(UpstreamConnectingTest, OneThatMustWaitConnectsWhenItIsLetGoAndNeedNotAnyMore) {
  sink_.must_wait = [](auto&) { return true; };
  Send("1", "GET x");
  EXPECT_TRUE(connection().held());
  Advance(std::chrono::hours(1));
  connection().LetGo();
  Settle();
  EXPECT_TRUE(connection().held()) << "it had to wait for another then";
  EXPECT_EQ(shard_.connections(), 0u);
  sink_.must_wait = nullptr;
  connection().LetGo();
  Settle();
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectingTest, AShardThatKnowsOnlyResp2IsNotBlamed) {
  variant_ = ConnectionVariant::kNewer;
  Send("1", "GET x");
  shard_.Sends("-NOPROTO unsupported\r\n");
  EXPECT_THAT(Events(), ElementsAre("1 failed: variant refused"));
  EXPECT_TRUE(sink_.variant_refused);
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectingTest, AShardThatKnowsOnlyResp2IsNotAskedForResp3AgainAndAgain) {
  variant_ = ConnectionVariant::kNewer;
  Send("1", "GET x");
  shard_.Sends("-NOPROTO unsupported\r\n");
  Advance(milliseconds(10'000));
  EXPECT_EQ(shard_.connections(), 1u);
  // It may have learned it when it is wanted.
  EXPECT_EQ(Send("2", "GET x"), std::nullopt);
  EXPECT_EQ(shard_.connections(), 2u);
}

TEST_F(UpstreamConnectingTest, AShardThatNeverIntroducesItselfIsGivenUp) {
  settings_.login.auth = "secret";
  settings_.silence_limit = milliseconds(1000);
  Send("1", "GET x");
  Advance(milliseconds(999));
  EXPECT_THAT(Events(), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_THAT(Events(), ElementsAre("1 failed: unavailable"));
  EXPECT_THAT(Verdicts(), ElementsAre("connect"));
  EXPECT_FALSE(shard_.connected());
}

TEST_F(UpstreamConnectingTest, BacksOffTwiceAsLongEachTimeUpToASecond) {
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

TEST_F(UpstreamConnectingTest, AnEjectedShardIsNotConnectedToEverySecond) {
  shard_.StopsListening();
  Send("1", "GET x");
  EXPECT_EQ(stats_.server_err.Get(), 1u);
  sink_.ejected = true;
  for (int i = 0; i < 10; ++i) Advance(milliseconds(1000));
  connection().OnAddressesChanged();
  Settle();
  EXPECT_EQ(stats_.server_err.Get(), 1u);
  EXPECT_EQ(Send("2", "GET x"), Failure::kUnavailable);
  // Back, it is used at once.
  shard_.Listens();
  sink_.ejected = false;
  connection().Connect();
  EXPECT_EQ(Send("3", "GET x"), std::nullopt);
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x"));
}

TEST_F(UpstreamConnectingTest, AShardThatIsEjectedNoMoreIsConnectedToThoughNobodySaysSo) {
  shard_.StopsListening();
  Send("1", "GET x");
  sink_.ejected = true;
  Advance(milliseconds(1000));
  shard_.Listens();
  sink_.ejected = false;
  Advance(milliseconds(1000));
  EXPECT_TRUE(connection().ready());
}

TEST_F(UpstreamConnectingTest, AShardIsNotBlamedForTheProxysLackOfDescriptors) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers need descriptors themselves";
  {
    NoDescriptors none;
    Send("1", "GET x");
    EXPECT_THAT(Events(), ElementsAre("1 failed: no socket"));
    EXPECT_EQ(Send("2", "GET x"), Failure::kNoSocket);
  }
  EXPECT_THAT(Verdicts(), IsEmpty());
  Advance(milliseconds(50));
  EXPECT_EQ(Send("3", "GET x"), std::nullopt);
  EXPECT_THAT(shard_.Received(), ElementsAre("GET x"));
  EXPECT_THAT(Verdicts(), IsEmpty());
}

TEST_F(UpstreamConnectingTest, TriesItsAddressesInTurnBeforeItFails) {
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

TEST_F(UpstreamConnectingTest, WhatIsNotWrittenMayYetGoToAnotherAddress) {
  sink_.must_wait = [](auto&) { return true; };
  Send("1", "GET x");
  EXPECT_TRUE(connection().may_move()) << "no address was tried";
  settings_.login.auth = "secret";
  sink_.must_wait = nullptr;
  connection().LetGo();
  EXPECT_TRUE(connection().may_move()) << "the address may refuse";
  Settle();
  EXPECT_FALSE(connection().may_move()) << "the password may be refused, which fails it";
  shard_.Sends("+OK\r\n");
  EXPECT_FALSE(connection().may_move());
  shard_.Sends("$1\r\nX\r\n");
  Queue("2", "GET y");
  EXPECT_TRUE(connection().may_move()) << "the shard may have closed the connection";
  Settle();
  EXPECT_FALSE(connection().may_move());
}

TEST_F(UpstreamConnectingTest, KeepsToTheAddressThatWorkedWhateverItsPlaceAmongThem) {
  const ResolvedAddress nobody = *LiteralAddress(UnixEndpoint("/nonexistent/socket"));
  Send("1", "GET x");
  addresses_.insert(addresses_.begin(), nobody);
  connection().OnAddressesChanged();
  ASSERT_NE(connection().address(), nullptr);
  EXPECT_EQ(*connection().address(), addresses_[1]);
  connection().Close(Failure::kReset);
  Queue("2", "GET y");
  EXPECT_EQ(*connection().address(), addresses_[1]) << "without a look at the other one";
  Settle();
  EXPECT_TRUE(connection().ready());
}

TEST_F(UpstreamConnectingTest, WithoutAnAddressRequestsWaitUntilTheNameIsResolved) {
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

TEST_F(UpstreamConnectingTest, ANameThatHasNoAddressFailsWhatWaitedForOne) {
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

TEST_F(UpstreamConnectingTest, RequestsWaitForAnAddressNoLongerThanTheirDeadline) {
  addresses_.clear();
  settings_.timeout = milliseconds(100);
  Send("1", "GET x");
  Advance(milliseconds(100));
  EXPECT_THAT(Events(), ElementsAre("1 failed: timed out unsent"));
}

}  // namespace
}  // namespace weir
