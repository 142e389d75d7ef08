#include "proxy/xds/subscription_state.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::Node TestNode() {
  v1::Node node;
  node.set_id("proxy-1");
  return node;
}

v1::DiscoveryResponse Response(std::string_view nonce, std::vector<v1::Resource> changed,
                               std::vector<v1::RemovedResource> removed = {},
                               std::string_view system_version = "all") {
  v1::DiscoveryResponse response;
  response.set_nonce(std::string(nonce));
  response.set_system_version(std::string(system_version));
  for (v1::Resource& resource : changed) *response.add_changed() = std::move(resource);
  for (v1::RemovedResource& removal : removed) *response.add_removed() = std::move(removal);
  return response;
}

// Steps as lines: what to apply, then what is sent.
std::vector<std::string> StepLines(const SubscriptionStep& step) {
  std::vector<std::string> lines;
  if (step.apply.has_value()) {
    for (const HeldResourcePtr& resource : step.apply->changed) {
      lines.push_back(StrCat("apply ", Line(*resource)));
    }
    for (const ResourceId& id : step.apply->removed) {
      lines.push_back(StrCat("remove ", Line(KeyOf(id))));
    }
  }
  if (!step.send.has_value()) return lines;
  const v1::Ack& ack = step.send->ack();
  lines.push_back(StrCat("ack ", ack.nonce()));
  for (const v1::ResourceError& error : ack.errors()) {
    lines.push_back(
        StrCat("refused ", Line(error), ": ", error.field(), " ", error.error_detail()));
  }
  for (const v1::ResourceKey& key : ack.stale()) lines.push_back(StrCat("stale ", Line(key)));
  return lines;
}

class SubscriptionStateTest : public ::testing::Test {
 protected:
  SubscriptionStateTest() : state_(TestNode(), {}) {}

  std::vector<std::string> Gets(v1::DiscoveryResponse response) {
    return StepLines(state_.OnResponse(std::move(response)));
  }
  std::vector<std::string> Applied(const std::vector<v1::ResourceError>& errors = {}) {
    return StepLines(state_.OnApplied(errors));
  }
  std::vector<std::string> HeldNow() {
    std::vector<std::string> lines;
    for (const auto& [id, resource] : state_.held()) {
      lines.push_back(
          StrCat(Line(*resource), " of ", resource->uid(), "/", resource->generation()));
    }
    return lines;
  }
  // Gets a pool in force, in one go.
  void Holds(v1::Resource resource) {
    Gets(Response("0", {std::move(resource)}));
    Applied();
  }

  SubscriptionState state_;
};

TEST_F(SubscriptionStateTest, TheFirstRequestSaysWhoWhatIsWantedAndWhatIsHeld) {
  SubscriptionState state(TestNode(), {"alpha", "beta"});
  state.Restore({NewPool("alpha", "p1"), NewEndpoints("alpha", "e1"), NewSecret("key", "s1")});
  const v1::DiscoveryRequest request = state.OnConnected(/*secure=*/true);
  EXPECT_EQ(request.node().id(), "proxy-1");
  EXPECT_THAT(request.subscription().pools(), ElementsAre("alpha", "beta"));
  EXPECT_THAT(HeldLines(request),
              ElementsAre("secret key s1", "pool alpha p1", "endpoints alpha e1"));
  // The version of a secret would help to guess it.
  EXPECT_THAT(HeldLines(state.OnConnected(/*secure=*/false)),
              ElementsAre("pool alpha p1", "endpoints alpha e1"));
  EXPECT_TRUE(SubscriptionState(TestNode(), {}).OnConnected(true).has_subscription());
}

TEST_F(SubscriptionStateTest, AcksWhatIsInForceAndNotBefore) {
  state_.OnConnected(true);
  EXPECT_THAT(Gets(Response("7", {NewPool("alpha", "p1"), NewSecret("key", "s1")})),
              ElementsAre("apply secret key s1", "apply pool alpha p1"));
  EXPECT_TRUE(state_.applying());
  EXPECT_THAT(HeldNow(), IsEmpty());
  EXPECT_THAT(Applied(), ElementsAre("ack 7"));
  EXPECT_THAT(HeldNow(), ElementsAre("secret key s1 of uid-1/1", "pool alpha p1 of uid-1/1"));
}

TEST_F(SubscriptionStateTest, ARefusedResourceLeavesTheOldOneAndTheOthersAreTaken) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1"));
  Gets(Response("2", {NewPool("alpha", "p2", {.generation = 2}), NewPool("beta", "p3")}));
  EXPECT_THAT(Applied({ErrorOf(PoolId("alpha"), "policy.listen", "in use"),
                       ErrorOf(PoolId("stranger"), "", "not in this change")}),
              ElementsAre("ack 2", "refused pool alpha p2: policy.listen in use"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-1/1", "pool beta p3 of uid-1/1"));
}

TEST_F(SubscriptionStateTest, RemovesWhatIsHeldAndAcksTheRestAtOnce) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1"));
  EXPECT_THAT(Gets(Response("2", {},
                            {NewRemoval(PoolId("alpha")), NewRemoval(PoolId("alpha")),
                             NewRemoval(PoolId("unknown"))})),
              ElementsAre("remove pool alpha"));
  EXPECT_THAT(Applied({ErrorOf(PoolId("alpha"), "", "too late")}), ElementsAre("ack 2"));
  EXPECT_THAT(HeldNow(), IsEmpty());
  EXPECT_THAT(Gets(Response("3", {}, {NewRemoval(PoolId("alpha"))})), ElementsAre("ack 3"));
}

TEST_F(SubscriptionStateTest, AnEmptyResponseIsAckedAtOnceAndSaysThatAllIsThere) {
  state_.OnConnected(true);
  EXPECT_FALSE(state_.synced());
  EXPECT_THAT(Gets(Response("1", {}, {}, "v9")), ElementsAre("ack 1"));
  EXPECT_TRUE(state_.synced());
  EXPECT_EQ(state_.system_version(), "v9");
  state_.OnDisconnected();
  EXPECT_FALSE(state_.synced());
  state_.OnConnected(true);
  Gets(Response("1", {NewPool("alpha", "p1")}, {}, ""));
  EXPECT_FALSE(state_.synced());
}

TEST_F(SubscriptionStateTest, AnOlderGenerationOfTheSameUidIsLeftAlone) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p5", {.generation = 5}));
  EXPECT_THAT(Gets(Response("2", {NewPool("alpha", "p4", {.generation = 4})})),
              ElementsAre("ack 2", "stale pool alpha"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p5 of uid-1/5"));
  // Endpoints change within a generation.
  EXPECT_THAT(Gets(Response("3", {NewPool("alpha", "p6", {.generation = 5})})),
              ElementsAre("apply pool alpha p6"));
}

TEST_F(SubscriptionStateTest, WhatIsLeftAloneIsNamedWithTheStateItIsOlderThan) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p43", {.generation = 43}));
  const SubscriptionStep step =
      state_.OnResponse(Response("2", {NewPool("alpha", "p40", {.generation = 40})}));
  const v1::Ack& ack = step.send->ack();
  ASSERT_EQ(ack.newer_size(), 1);
  EXPECT_EQ(IdOf(ack.newer(0).key()), PoolId("alpha"));
  EXPECT_EQ(ack.newer(0).uid(), "uid-1");
  EXPECT_EQ(ack.newer(0).generation(), 43u);
}

TEST_F(SubscriptionStateTest, AnotherUidReplacesWhateverTheGeneration) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p5", {.generation = 5}));
  Holds(NewPool("alpha", "p1", {.generation = 1, .uid = "uid-2"}));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-2/1"));
}

TEST_F(SubscriptionStateTest, AServerThatIsBehindDoesNotBringBackAnOlderStateOfAPoolMadeAnew) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p5", {.generation = 5}));
  Holds(NewPool("alpha", "p1", {.generation = 1, .uid = "uid-2"}));
  EXPECT_THAT(Gets(Response("2", {NewPool("alpha", "p4", {.generation = 4})})),
              ElementsAre("ack 2", "stale pool alpha"));
  Gets(Response("3", {}, {NewRemoval(PoolId("alpha"))}));
  Applied();
  EXPECT_THAT(Gets(Response("4", {NewPool("alpha", "p4", {.generation = 4})})),
              ElementsAre("ack 4", "stale pool alpha"));
  EXPECT_THAT(Gets(Response("5", {NewPool("alpha", "p5", {.generation = 5})})),
              ElementsAre("apply pool alpha p5"));
}

TEST_F(SubscriptionStateTest, ARemovalAsOfAnOlderGenerationLeavesThePool) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p5", {.generation = 5}));
  EXPECT_THAT(Gets(Response("2", {NewPool("beta", "p1")},
                            {NewRemoval(PoolId("alpha"), {.generation = 4})})),
              ElementsAre("apply pool beta p1"));
  EXPECT_THAT(Applied(), ElementsAre("ack 2", "stale pool alpha"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p5 of uid-1/5", "pool beta p1 of uid-1/1"));
  // As of the state that is held it is another fleet's.
  EXPECT_THAT(Gets(Response("3", {}, {NewRemoval(PoolId("alpha"), {.generation = 5})})),
              ElementsAre("remove pool alpha"));
}

TEST_F(SubscriptionStateTest, ARemovalOfAnEarlierUidLeavesThePoolThatWasMadeAnew) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1", {.generation = 1, .uid = "uid-2", .created = 20}));
  EXPECT_THAT(Gets(Response(
                  "2", {},
                  {NewRemoval(PoolId("alpha"), {.generation = 9, .uid = "uid-1", .created = 10})})),
              ElementsAre("ack 2", "stale pool alpha"));
  // Deletions that were forgotten have a time and no uid.
  EXPECT_THAT(
      Gets(Response("3", {},
                    {NewRemoval(PoolId("alpha"), {.generation = 0, .uid = "", .created = 19})})),
      ElementsAre("ack 3", "stale pool alpha"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-2/1"));
}

TEST_F(SubscriptionStateTest, ARemovalOfALaterUidTakesAnEarlierOneWithIt) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p9", {.generation = 9, .uid = "uid-1", .created = 10}));
  Gets(Response("2", {},
                {NewRemoval(PoolId("alpha"), {.generation = 2, .uid = "uid-2", .created = 20})}));
  EXPECT_THAT(Applied(), ElementsAre("ack 2"));
  EXPECT_THAT(HeldNow(), IsEmpty());
}

TEST_F(SubscriptionStateTest, ADeletedPoolDoesNotComeBackFromAServerThatIsBehind) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p5", {.generation = 5}));
  Gets(Response("2", {}, {NewRemoval(PoolId("alpha"), {.generation = 6})}));
  Applied();
  EXPECT_THAT(Gets(Response("3", {NewPool("alpha", "p5", {.generation = 5})})),
              ElementsAre("ack 3", "stale pool alpha"));
}

TEST_F(SubscriptionStateTest, AnEarlierUidDoesNotReplaceALaterOne) {
  state_.Restore({NewPool("alpha", "p1", {.generation = 1, .uid = "uid-2", .created = 20})});
  state_.OnConnected(true);
  EXPECT_THAT(Gets(Response("1", {NewPool("alpha", "p9", {.generation = 9, .created = 10})})),
              ElementsAre("ack 1", "stale pool alpha"));
  EXPECT_THAT(Gets(Response("2", {NewPool("alpha", "p3", {.uid = "uid-3", .created = 30})})),
              ElementsAre("apply pool alpha p3"));
}

TEST_F(SubscriptionStateTest, ContentThatIsInForceIsNotBuiltAgain) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1"));
  EXPECT_THAT(Gets(Response("2", {NewPool("alpha", "p1", {.generation = 3})})),
              ElementsAre("ack 2"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-1/3"));
  EXPECT_THAT(Gets(Response("3", {NewPool("alpha", "p2", {.generation = 2})})),
              ElementsAre("ack 3", "stale pool alpha"));
}

// It was held without having been checked, and served after a restart instead of what is in force.
TEST_F(SubscriptionStateTest, OtherContentUnderAVersionThatIsHeldReplacesNothing) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1"));
  v1::Resource other = NewPool("alpha", "p2", {.generation = 3});
  other.set_version("p1");
  EXPECT_THAT(Gets(Response("2", {other})), ElementsAre("ack 2"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-1/3"));
  EXPECT_EQ(state_.held().at(PoolId("alpha"))->pool().policy().listen(), "/p1");
}

// The older state took the place of the later one among those that are remembered.
TEST_F(SubscriptionStateTest, ARemovalAsOfAnOlderStateOfAnEarlierUidLetsNoOlderOneBack) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p7", {.generation = 7}));
  Holds(NewPool("alpha", "p1", {.generation = 1, .uid = "uid-2"}));
  Gets(Response("3", {}, {NewRemoval(PoolId("alpha"), {.generation = 2})}));
  EXPECT_THAT(Applied(), ElementsAre("ack 3"));
  EXPECT_THAT(Gets(Response("4", {NewPool("alpha", "p3", {.generation = 3})})),
              ElementsAre("ack 4", "stale pool alpha"));
}

TEST_F(SubscriptionStateTest, AReconnectSaysWhatIsHeldAndTheChangeUnderWayGetsNoAck) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1"));
  Gets(Response("2", {NewPool("beta", "p2")}));
  state_.OnDisconnected();
  EXPECT_THAT(HeldLines(state_.OnConnected(true)), ElementsAre("pool alpha p1", "pool beta "));
  // The new server cannot know of it and sends it again.
  EXPECT_THAT(Gets(Response("1", {NewPool("beta", "p2")})), IsEmpty());
  EXPECT_THAT(Applied(), ElementsAre("ack 1"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-1/1", "pool beta p2 of uid-1/1"));
}

TEST_F(SubscriptionStateTest, APoolThatIsTakenWhileTheProxyComesAgainCanBeTakenBack) {
  state_.OnConnected(true);
  Holds(NewPool("alpha", "p1"));
  Gets(Response("2", {NewPool("beta", "p2")}, {NewRemoval(PoolId("alpha"))}));
  state_.OnDisconnected();
  // A server that has put both changes back meanwhile must know of them.
  EXPECT_THAT(HeldLines(state_.OnConnected(true)), ElementsAre("pool alpha ", "pool beta "));
  Gets(Response("1", {NewPool("alpha", "p1")}, {NewRemoval(PoolId("beta"))}));
  EXPECT_THAT(Applied(), ElementsAre("apply pool alpha p1", "remove pool beta"));
  EXPECT_THAT(Applied(), ElementsAre("ack 1"));
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-1/1"));
}

TEST_F(SubscriptionStateTest, AnOlderStateThatWaitsBehindANewerOneIsStale) {
  state_.OnConnected(true);
  Gets(Response("2", {NewPool("alpha", "p5", {.generation = 5})}));
  state_.OnDisconnected();
  state_.OnConnected(true);
  Gets(Response("1", {NewPool("alpha", "p4", {.generation = 4}), NewPool("beta", "p1")}));
  EXPECT_THAT(Applied(), ElementsAre("apply pool beta p1"));
  EXPECT_THAT(Applied(), ElementsAre("ack 1", "stale pool alpha"));
}

TEST_F(SubscriptionStateTest, WhatWaitsIsForgottenWithItsStream) {
  state_.OnConnected(true);
  Gets(Response("1", {NewPool("alpha", "p1")}));
  Gets(Response("2", {NewPool("beta", "p2")}));
  state_.OnDisconnected();
  EXPECT_THAT(Applied(), IsEmpty());
  EXPECT_THAT(HeldNow(), ElementsAre("pool alpha p1 of uid-1/1"));
}

TEST_F(SubscriptionStateTest, OfManyResponsesAtOnceTheLastOneWaits) {
  state_.OnConnected(true);
  Gets(Response("1", {NewPool("alpha", "p1")}));
  EXPECT_THAT(Gets(Response("2", {NewPool("alpha", "p2", {.generation = 2})})), IsEmpty());
  EXPECT_THAT(Gets(Response("3", {NewPool("alpha", "p3", {.generation = 3})})), IsEmpty());
  EXPECT_THAT(Applied(), ElementsAre("apply pool alpha p3", "ack 1"));
  EXPECT_THAT(Applied(), ElementsAre("ack 3"));
}

TEST_F(SubscriptionStateTest, ResourcesThatMakeNoSenseAreRefusedAndHoldUpNoOther) {
  state_.OnConnected(true);
  v1::Resource wrong_body = NewPool("alpha", "p1");
  wrong_body.mutable_endpoints();
  v1::Resource of_later_release = NewPool("beta", "p2");
  of_later_release.mutable_key()->set_type(static_cast<v1::ResourceType>(9));
  EXPECT_THAT(Gets(Response("1", {wrong_body, of_later_release, NewPool("", "p3"),
                                  NewPool("good", "p4"), NewPool("good", "p5")})),
              ElementsAre("apply pool good p5"));
  EXPECT_THAT(Applied(),
              ElementsAre("ack 1",
                          "refused pool alpha p1: key.type want a known type, and a body of that "
                          "type",
                          "refused type 9 beta p2: key.type want a known type, and a body of that "
                          "type",
                          "refused pool  p3: key.name want a name"));
}

}  // namespace
}  // namespace weir
