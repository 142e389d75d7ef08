#include "proxy/upstream/handovers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"
#include "tests/support/upstream_connection_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using enum ConnectionVariant;

constexpr auto kAny = [](const UpstreamConnection&) { return true; };

class HandoversTest : public UpstreamConnectionHarness {
 protected:
  HandoversTest() {
    sink_.must_wait = [this](UpstreamConnection& connection) {
      const bool ended = connection.shard() == kRemovedShard;
      return handovers_.MustWait(connection, ended ? nullptr : now_.get());
    };
  }

  // A state of shard "a" that is configured with `place` and is served at `addresses`.
  static std::unique_ptr<ShardConnections> State(const std::string& place,
                                                 const std::vector<ResolvedAddress>& addresses) {
    auto state = std::make_unique<ShardConnections>();
    state->config.name = "a";
    state->config.endpoint = TcpEndpoint(place, 6379);
    state->settings.label.shard = "a";
    state->addresses = addresses;
    return state;
  }
  UpstreamConnection& Shared(ShardConnections& state, uint32_t slot = 0) {
    std::vector<Way>& ways = state.WaysOf(kBase);
    if (ways.size() <= slot) ways.resize(slot + 1);
    if (ways[slot].shared == nullptr) {
      ways[slot].shared = std::make_unique<UpstreamConnection>(
          context_, state.settings, state.addresses, stats_, /*shard=*/0, kBase);
    }
    return *ways[slot].shared;
  }
  void Asks(UpstreamConnection& connection, const std::string& words) {
    EXPECT_EQ(connection.Send(&NewFragment(words), FakeClient::Encode(words)), std::nullopt);
    Settle();
  }
  void Ends(std::unique_ptr<ShardConnections> state) {
    state->ForEach([](UpstreamConnection& connection) { connection.SetShard(kRemovedShard); });
    handovers_.Add(std::move(state));
  }
  // A state that was asked this, and has ended.
  void EndsAfter(std::unique_ptr<ShardConnections> state, const std::string& words) {
    now_ = std::move(state);
    Asks(Shared(*now_), words);
    Ends(std::move(now_));
  }
  // What was asked on the n-th connection is answered.
  void Answers(size_t connection) {
    shard_.SendsOn(connection, "+OK\r\n");
    handovers_.Sweep();
    Settle();
  }

  const std::vector<ResolvedAddress> elsewhere_ = {
      *LiteralAddress(UnixEndpoint(directory_.path() + "/elsewhere"))};
  const std::vector<ResolvedAddress> nowhere_;
  Handovers handovers_{loop_};
  std::unique_ptr<ShardConnections> now_;  // the state that has not ended
};

TEST_F(HandoversTest, WhoWouldConnectWhereAnEarlierStateHasRequestsWaitsUntilTheyAreAnswered) {
  EndsAfter(State("one", addresses_), "SET x 1");
  now_ = State("two", addresses_);
  Asks(Shared(*now_), "SET x 2");
  handovers_.Sweep();
  EXPECT_TRUE(Shared(*now_).held());
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 1"));
  Answers(0);
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 2"));
  EXPECT_FALSE(shard_.connected(0));
  EXPECT_TRUE(handovers_.empty());
}

TEST_F(HandoversTest, WhoWaitsForSeveralWaitsForAll) {
  auto second = State("two", addresses_);
  now_ = State("one", addresses_);
  Asks(Shared(*now_), "SET x 1");
  Asks(Shared(*second), "SET x 2");
  Ends(std::move(now_));
  Ends(std::move(second));
  now_ = State("three", addresses_);
  Asks(Shared(*now_), "SET x 3");
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 1", "SET x 2"));
  Answers(0);
  EXPECT_THAT(shard_.Received(), IsEmpty());
  Answers(1);
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 3"));
}

TEST_F(HandoversTest, NobodyWaitsAtAnotherAddressOrInAnotherSlotOrVariant) {
  EndsAfter(State("one", addresses_), "SET x 1");
  const auto there = State("two", addresses_);
  EXPECT_NE(handovers_.FindBefore(*there, {0}, kBase, kAny), nullptr);
  EXPECT_EQ(handovers_.FindBefore(*there, {1}, kBase, kAny), nullptr);
  EXPECT_EQ(handovers_.FindBefore(*there, {0}, kNewer, kAny), nullptr);
  EXPECT_EQ(handovers_.FindBefore(*State("two", elsewhere_), {0}, kBase, kAny), nullptr);
  EXPECT_NE(handovers_.FindBefore(*State("one", elsewhere_), {0}, kBase, kAny), nullptr)
      << "the same place, wherever that is by now";
  there->config.name = "b";
  EXPECT_EQ(handovers_.FindBefore(*there, {0}, kBase, kAny), nullptr);
}

TEST_F(HandoversTest, WhoHasAConnectionOfItsOwnWaitsForNobody) {
  EndsAfter(State("one", addresses_), "SET x 1");
  now_ = State("two", addresses_);
  now_->leased.push_back(std::make_unique<UpstreamConnection>(
      context_, now_->settings, now_->addresses, stats_, /*shard=*/0, kBase));
  Asks(*now_->leased[0], "SET x 2");
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 1", "SET x 2"));
}

TEST_F(HandoversTest, OneThatEndsWhileItWaitsIsLetGoByNobody) {
  EndsAfter(State("one", addresses_), "SET x 1");
  now_ = State("two", addresses_);
  Asks(Shared(*now_), "SET x 2");
  Shared(*now_).Close(Failure::kRemoved);
  Ends(std::move(now_));
  handovers_.Sweep();
  loop_.RunTurn(Duration::zero());  // it is gone
  Answers(0);
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 1"));
  EXPECT_TRUE(handovers_.empty());
}

TEST_F(HandoversTest, WhatWaitsForAnAddressGetsTheFirstOfALaterState) {
  EndsAfter(State("one", nowhere_), "SET x 1");
  now_ = State("two", nowhere_);
  handovers_.GiveFirstAddresses(*now_);
  Settle();
  EXPECT_THAT(Events(), IsEmpty()) << "none is no news yet";
  now_->addresses = addresses_;
  handovers_.GiveFirstAddresses(*now_);
  Settle();
  EXPECT_THAT(shard_.Received(), ElementsAre("SET x 1"));
}

TEST_F(HandoversTest, AStateAtTheSamePlaceHearsThatItHasNoAddress) {
  EndsAfter(State("one", nowhere_), "SET x 1");
  handovers_.SetAddresses(*State("one", nowhere_));
  EXPECT_THAT(Events(), ElementsAre("SET x 1 failed: unavailable"));
}

}  // namespace
}  // namespace weir
