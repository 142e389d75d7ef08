#include "controlplane/stream/discovery_stream.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/cache/resource_cache.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::DiscoveryRequest FirstRequest(std::vector<v1::HeldResource> held = {},
                                  std::vector<std::string> pools = {}) {
  v1::DiscoveryRequest request;
  request.mutable_node()->set_id("proxy-1");
  request.mutable_node()->set_fleet("blue");
  for (v1::HeldResource& resource : held) *request.add_held() = std::move(resource);
  request.mutable_subscription();
  for (std::string& pool : pools) request.mutable_subscription()->add_pools(std::move(pool));
  return request;
}

// A stream, the cache that it is fed from, and a proxy whose every word is scripted.
class Harness {
 public:
  explicit Harness(bool secure = true, DiscoveryStream::Limits limits = {})
      : stream_(std::make_shared<ProxyState>("192.0.2.1:4711", kNow, secure), limits) {}

  ResourceCache cache;

  DiscoveryStream& stream() { return stream_; }
  const ProxyState& proxy() { return *stream_.proxy(); }

  // The deletion of a pool is remembered.
  void Deleted(const std::string& pool, const Place& place = {}) {
    deleted_.push_back(NewRemoval(PoolId(pool), place));
    cache.SetDeleted(deleted_, std::nullopt);
  }

  // Sets a pool and its endpoints; the generation rises with each call.
  void Sets(std::string_view pool, std::string_view content, std::string_view endpoints,
            std::string_view secret = {}) {
    ++generation_;
    cache.SetPool("blue", NewPool(pool, content, {.generation = generation_}, secret),
                  NewEndpoints(pool, endpoints, {.generation = generation_}));
  }

  RequestOutcome Asks(const v1::DiscoveryRequest& request) {
    absl::StatusOr<RequestOutcome> outcome = stream_.OnRequest(request, kNow);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *std::move(outcome) : RequestOutcome();
  }
  std::string Refuses(const v1::DiscoveryRequest& request) {
    const absl::Status status = stream_.OnRequest(request, kNow).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(FromAbsl(status.message()));
  }
  RequestOutcome Opens(std::vector<v1::HeldResource> held = {},
                       std::vector<std::string> pools = {}) {
    return Asks(FirstRequest(std::move(held), std::move(pools)));
  }
  RequestOutcome Subscribes(std::vector<std::string> pools) {
    v1::DiscoveryRequest request;
    request.mutable_subscription();
    for (std::string& pool : pools) request.mutable_subscription()->add_pools(std::move(pool));
    return Asks(request);
  }

  // What is sent now, as lines; "nothing" when nothing is.
  std::vector<std::string> Sent() {
    std::optional<OutgoingResponse> response = stream_.NextResponse(*cache.View("blue"));
    if (!response.has_value()) return {"nothing"};
    EXPECT_TRUE(last_.ParseFromString(response->Encode()));
    EXPECT_EQ(last_.SerializeAsString(), response->ToMessage().SerializeAsString());
    return Lines(last_);
  }
  const v1::DiscoveryResponse& last() const { return last_; }

  RequestOutcome Acks(std::vector<v1::ResourceError> errors = {},
                      std::vector<ResourceId> stale = {}) {
    return AcksNonce(last_.nonce(), std::move(errors), std::move(stale));
  }
  RequestOutcome AcksNonce(std::string_view nonce, std::vector<v1::ResourceError> errors = {},
                           std::vector<ResourceId> stale = {}) {
    v1::DiscoveryRequest request;
    request.mutable_ack()->set_nonce(std::string(nonce));
    for (v1::ResourceError& error : errors) {
      *request.mutable_ack()->add_errors() = std::move(error);
    }
    for (const ResourceId& id : stale) *request.mutable_ack()->add_stale() = KeyOf(id);
    return Asks(request);
  }

 private:
  DiscoveryStream stream_;
  std::vector<v1::RemovedResource> deleted_;
  uint64_t generation_ = 0;
  v1::DiscoveryResponse last_;
};

TEST(DiscoveryStreamTest, SendsEverythingToAProxyThatHoldsNothing) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Sets("beta", "p2", "e2");
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  EXPECT_TRUE(h.Opens().opened);
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1", "endpoints alpha e1", "pool beta p2",
                                    "endpoints beta e2"));
  EXPECT_FALSE(h.last().nonce().empty());
  const RequestOutcome outcome = h.Acks();
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.answer->taken, 4);
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
}

TEST(DiscoveryStreamTest, SendsOneEmptyResponseToAProxyThatHoldsEverything) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens({Held(PoolId("alpha"), "p1"), Held(EndpointsId("alpha"), "e1")});
  EXPECT_THAT(h.Sent(), IsEmpty());
  const std::string version = h.last().system_version();
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));

  Harness empty_handed;
  empty_handed.Sets("alpha", "p1", "e1");
  empty_handed.Opens();
  empty_handed.Sent();
  EXPECT_EQ(empty_handed.last().system_version(), version);
}

TEST(DiscoveryStreamTest, SendsWhatIsNotHeldAndTakesBackWhatIsTooMuch) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens({Held(PoolId("alpha"), "p1"), Held(EndpointsId("alpha"), "e0"),
           Held(PoolId("gone"), "p9"), Held(EndpointsId("gone"), "e9")});
  h.Deleted("gone", {.generation = 7, .uid = "uid-9"});
  EXPECT_THAT(h.Sent(),
              ElementsAre("endpoints alpha e1", "removed pool gone", "removed endpoints gone"));
  EXPECT_EQ(h.last().removed(1).uid(), "uid-9");
  EXPECT_EQ(h.last().removed(1).generation(), 7);
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
}

TEST(DiscoveryStreamTest, WhatIsHeldInAnUnknownVersionIsSentOrTakenBack) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Deleted("gone");
  h.Opens({Held(PoolId("alpha"), ""), Held(EndpointsId("alpha"), "e1"), Held(PoolId("gone"), "")});
  EXPECT_THAT(h.proxy().Describe(*h.cache.View("blue")).applied(), SizeIs(1));
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1", "removed pool gone"));
}

TEST(DiscoveryStreamTest, APoolThatNobodyKnowsIsLeftToTheProxyAndSeenOutOfSync) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens({Held(PoolId("alpha"), "p1"), Held(EndpointsId("alpha"), "e1"),
           Held(PoolId("newer"), "p9"), Held(SecretId("of-newer"), "s9")});
  EXPECT_THAT(h.Sent(), IsEmpty());
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  EXPECT_FALSE(h.proxy().Describe(*h.cache.View("blue")).in_sync());
}

TEST(DiscoveryStreamTest, AStaleRemovalIsNotRepeatedUntilItIsAnotherOne) {
  Harness h;
  h.Deleted("alpha", {.generation = 2});
  h.Opens({Held(PoolId("alpha"), "p3")});
  EXPECT_THAT(h.Sent(), ElementsAre("removed pool alpha"));
  EXPECT_EQ(h.Acks({}, {PoolId("alpha")}).answer->stale.size(), 1);
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.Deleted("alpha", {.generation = 4});
  EXPECT_THAT(h.Sent(), ElementsAre("removed pool alpha"));
  EXPECT_EQ(h.Acks().answer->taken, 1);
}

TEST(DiscoveryStreamTest, APoolOfAnotherFleetIsTakenBackAsOfItsStateThere) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens();
  h.Sent();
  h.Acks();
  h.cache.SetPool("green", NewPool("alpha", "p1", {.generation = 8}),
                  NewEndpoints("alpha", "e1", {.generation = 8}));
  h.cache.RemovePool("blue", "alpha");
  EXPECT_THAT(h.Sent(), ElementsAre("removed pool alpha", "removed endpoints alpha"));
  EXPECT_EQ(h.last().removed(0).generation(), 8);
}

TEST(DiscoveryStreamTest, APoolThatWasRefusedForWantOfASecretComesAgainWithIt) {
  Harness h;
  h.Sets("alpha", "p1", "e1", "key");
  h.Opens();
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1", "endpoints alpha e1"));
  h.Acks({ErrorOf(PoolId("alpha"), "policy.redis_auth_secret", "no such secret")});
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.cache.SetSecret(NewSecret("key", "s1"));
  EXPECT_THAT(h.Sent(), ElementsAre("secret key s1"));
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1"));
  // Once for each secret.
  h.Acks({ErrorOf(PoolId("alpha"), "policy.redis_auth_secret", "wrong")});
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.cache.SetSecret(NewSecret("key", "s2", {.generation = 2}));
  h.Sent();
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1"));
}

TEST(DiscoveryStreamTest, APoolThatWasRefusedForItsEndpointsComesAgainWithOthers) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens();
  h.Sent();
  h.Acks({ErrorOf(PoolId("alpha"), "", "slot a has no endpoint"),
          ErrorOf(EndpointsId("alpha"), "slots[0]", "wrong")});
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.Sets("alpha", "p1", "e2");
  EXPECT_THAT(h.Sent(), ElementsAre("endpoints alpha e2"));
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1"));
}

TEST(DiscoveryStreamTest, ASecretIsTakenBackLastAndNotWhileAnOldPoolMayNeedIt) {
  Harness h;
  h.cache.SetSecret(NewSecret("key", "s1"));
  h.Sets("alpha", "p1", "e1", "key");
  h.Opens();
  h.Sent();
  h.Acks();
  h.Sets("alpha", "p2", "e1");
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p2"));
  h.Acks({ErrorOf(PoolId("alpha"), "policy.listen", "in use")});
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.Sets("alpha", "p3", "e1");
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p3"));
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("removed secret key"));
}

TEST(DiscoveryStreamTest, ANewAddressSendsOneEndpointsResource) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Sets("beta", "p2", "e2");
  h.Opens();
  h.Sent();
  h.Acks();
  h.Sets("alpha", "p1", "e3");
  EXPECT_THAT(h.Sent(), ElementsAre("endpoints alpha e3"));
}

TEST(DiscoveryStreamTest, ChangesWhileAResponseIsOnItsWayAreMergedIntoTheNext) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Sets("beta", "p2", "e2");
  h.Opens();
  h.Sent();
  h.Sets("alpha", "p3", "e1");
  h.Sets("alpha", "p4", "e1");
  h.cache.RemovePool("blue", "beta");
  h.Sets("gamma", "p5", "e5");
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p4", "pool gamma p5", "endpoints gamma e5",
                                    "removed pool beta", "removed endpoints beta"));
  // A removal that was announced is not announced again.
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
}

TEST(DiscoveryStreamTest, AChangeThatIsTakenBackBeforeTheAckSendsNothing) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens();
  h.Sent();
  h.Sets("alpha", "p2", "e1");
  h.Sets("alpha", "p1", "e1");
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
}

TEST(DiscoveryStreamTest, IgnoresAStaleNonce) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens();
  h.Sent();
  const std::string first = h.last().nonce();
  EXPECT_TRUE(h.AcksNonce("another").stale_nonce);
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  EXPECT_FALSE(h.Acks().stale_nonce);

  h.Sets("alpha", "p2", "e1");
  h.Sent();
  const RequestOutcome outcome =
      h.AcksNonce(first, {ErrorOf(PoolId("alpha"), "policy.listen", "in use")});
  EXPECT_TRUE(outcome.stale_nonce);
  EXPECT_FALSE(outcome.answer.has_value());
  EXPECT_TRUE(h.stream().in_flight());
  // A second ACK of the same response is as stale.
  EXPECT_FALSE(h.Acks().stale_nonce);
  EXPECT_TRUE(h.Acks().stale_nonce);
}

TEST(DiscoveryStreamTest, ARefusedResourceComesAgainOnlyWhenItHasChangedAndHoldsUpNoOther) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Sets("beta", "p2", "e2");
  h.Opens();
  h.Sent();
  const RequestOutcome outcome = h.Acks({ErrorOf(PoolId("alpha"), "policy.listen", "in use")});
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.answer->taken, 3);
  ASSERT_EQ(outcome.answer->refused.size(), 1);
  EXPECT_EQ(Line(outcome.answer->refused[0]), "pool alpha p1");
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));

  h.Sets("beta", "p3", "e2");
  EXPECT_THAT(h.Sent(), ElementsAre("pool beta p3"));
  h.Acks();
  // The same content in a later generation would be refused again.
  h.Sets("alpha", "p1", "e1");
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.Sets("alpha", "p4", "e1");
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p4"));
}

TEST(DiscoveryStreamTest, AStaleResourceComesAgainInALaterGeneration) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens({Held(PoolId("alpha"), "p7"), Held(EndpointsId("alpha"), "e1")});
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1"));
  EXPECT_EQ(h.Acks({}, {PoolId("alpha")}).answer->stale.size(), 1);
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  h.Sets("alpha", "p1", "e1");
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1"));
}

TEST(DiscoveryStreamTest, APoolOfTheSameContentMadeAnewIsNothingNew) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens();
  h.Sent();
  h.Acks();
  h.cache.SetPool("blue", NewPool("alpha", "p1", {.uid = "uid-2"}),
                  NewEndpoints("alpha", "e1", {.uid = "uid-2"}));
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
}

TEST(DiscoveryStreamTest, ANamedSubscriptionCoversThesePoolsOfTheFleetAndTheirSecrets) {
  Harness h;
  h.cache.SetPool("green", NewPool("foreign", "p0"), NewEndpoints("foreign", "e0"));
  h.cache.SetSecret(NewSecret("key-a", "s1"));
  h.cache.SetSecret(NewSecret("key-b", "s2"));
  h.Sets("alpha", "p1", "e1", "key-a");
  h.Sets("beta", "p2", "e2", "key-b");
  h.Opens({}, {"alpha", "foreign", "missing"});
  EXPECT_THAT(h.Sent(), ElementsAre("secret key-a s1", "pool alpha p1", "endpoints alpha e1"));
  h.Acks();

  EXPECT_TRUE(h.Subscribes({"beta"}).subscribed);
  EXPECT_THAT(h.Sent(), ElementsAre("secret key-b s2", "pool beta p2", "endpoints beta e2",
                                    "removed pool alpha", "removed endpoints alpha"));
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("removed secret key-a"));
  h.Acks();
  h.Subscribes({});
  EXPECT_THAT(h.Sent(), ElementsAre("secret key-a s1", "pool alpha p1", "endpoints alpha e1"));
}

TEST(DiscoveryStreamTest, AnInsecureTransportCarriesNoSecretAndTakesNoneBack) {
  Harness h(/*secure=*/false);
  h.cache.SetSecret(NewSecret("key", "s1"));
  h.Sets("alpha", "p1", "e1", "key");
  h.Opens({Held(SecretId("key"), "s0"), Held(SecretId("old"), "s9")});
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1", "endpoints alpha e1"));
}

TEST(DiscoveryStreamTest, WhatIsTooMuchForOneResponseComesInTheNextWithPoolsWhole) {
  Harness h(/*secure=*/true, {.response_bytes = 1});
  h.Sets("alpha", "p1", "e1");
  h.Sets("beta", "p2", "e2");
  h.Deleted("gone");
  // A pool makes room at once; a secret stays for whom it may still serve.
  h.Opens({Held(PoolId("gone"), "p9"), Held(SecretId("old"), "s9")});
  EXPECT_THAT(h.Sent(), ElementsAre("pool alpha p1", "endpoints alpha e1", "removed pool gone"));
  EXPECT_EQ(h.last().system_version(), "");
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("pool beta p2", "endpoints beta e2"));
  EXPECT_NE(h.last().system_version(), "");
  h.Acks();
  EXPECT_THAT(h.Sent(), ElementsAre("removed secret old"));
}

TEST(DiscoveryStreamTest, TheFirstRequestNeedsANodeAndASubscription) {
  v1::DiscoveryRequest request = FirstRequest();
  request.clear_node();
  EXPECT_THAT(Harness().Refuses(request), HasSubstr("node: missing"));
  request = FirstRequest();
  request.clear_subscription();
  EXPECT_THAT(Harness().Refuses(request), HasSubstr("subscription: missing"));
  request = FirstRequest();
  request.mutable_node()->clear_id();
  EXPECT_THAT(Harness().Refuses(request), HasSubstr("node.id: 0 bytes"));
  // An ACK before anything was sent answers nothing.
  request = FirstRequest();
  request.mutable_ack()->set_nonce("1");
  EXPECT_TRUE(Harness().Asks(request).stale_nonce);
}

TEST(DiscoveryStreamTest, LaterRequestsNameNoNodeAndNothingHeld) {
  Harness h;
  h.Opens();
  EXPECT_THAT(h.Refuses(FirstRequest()), HasSubstr("node: want it in the first request only"));
  v1::DiscoveryRequest request;
  *request.add_held() = Held(PoolId("alpha"), "p1");
  EXPECT_THAT(h.Refuses(request), HasSubstr("held: want it in the first request only"));
}

TEST(DiscoveryStreamTest, AProxyThatHoldsAsManyPoolsAsThereMayBeCanComeAgain) {
  v1::DiscoveryRequest request = FirstRequest();
  for (int i = 0; i < 10'000; ++i) {
    const std::string name = StrCat(std::string(58, 'x'), 10'000 + i);
    for (const ResourceId& id : {PoolId(name), EndpointsId(name), SecretId(name)}) {
      *request.add_held() = Held(id, "0123456789abcdef");
    }
  }
  EXPECT_LT(request.ByteSizeLong(), 4u << 20);  // what the server receives at most
  Harness h;
  EXPECT_TRUE(h.stream().OnRequest(request, kNow).ok());
}

TEST(DiscoveryStreamTest, NamesAndListsHaveLimits) {
  const auto refusal_of = [](auto change) {
    v1::DiscoveryRequest request = FirstRequest();
    change(request);
    return Harness().Refuses(request);
  };
  const std::string long_name(254, 'x');
  EXPECT_EQ(refusal_of([&](auto& request) { request.mutable_node()->set_id(long_name); }),
            "node.id: 254 bytes; want 1 to 253");
  EXPECT_THAT(refusal_of([&](auto& request) { request.mutable_node()->set_fleet(long_name); }),
              HasSubstr("node.fleet: "));
  EXPECT_THAT(refusal_of([&](auto& request) { request.mutable_node()->set_zone(long_name); }),
              HasSubstr("node.zone: "));
  EXPECT_THAT(refusal_of([&](auto& request) { request.mutable_node()->set_build(long_name); }),
              HasSubstr("node.build: "));
  EXPECT_THAT(refusal_of([&](auto& request) { request.mutable_node()->add_capabilities(); }),
              HasSubstr("node.capabilities: "));
  EXPECT_THAT(refusal_of([&](auto& request) {
                for (int i = 0; i < 65; ++i) request.mutable_node()->add_capabilities("c");
              }),
              HasSubstr("node.capabilities: 65 of them"));
  EXPECT_THAT(refusal_of([&](auto& request) { *request.add_held() = Held(PoolId(""), "v"); }),
              HasSubstr("held.key.name: "));
  EXPECT_THAT(
      refusal_of([&](auto& request) { *request.add_held() = Held(PoolId("a"), long_name); }),
      HasSubstr("held.version: "));
  EXPECT_THAT(refusal_of([&](auto& request) {
                *request.add_held() = Held({.type = {}, .name = "a"}, "v");
              }),
              HasSubstr("held.key.type: "));
  EXPECT_THAT(refusal_of([&](auto& request) {
                for (int i = 0; i <= 50'000; ++i) *request.add_held() = Held(PoolId("a"), "v");
              }),
              HasSubstr("held: 50001 of them"));
  EXPECT_THAT(
      refusal_of([&](auto& request) { request.mutable_subscription()->add_pools(long_name); }),
      HasSubstr("subscription.pools: "));
  EXPECT_THAT(refusal_of([&](auto& request) {
                for (int i = 0; i <= 10'000; ++i) request.mutable_subscription()->add_pools("a");
              }),
              HasSubstr("subscription.pools: 10001 of them"));
}

TEST(DiscoveryStreamTest, AReportBeyondEveryPoolIsRefused) {
  Harness h;
  h.Opens();
  v1::DiscoveryRequest request;
  for (int i = 0; i <= 100'000; ++i) request.mutable_report()->add_shards();
  EXPECT_THAT(h.Refuses(request), HasSubstr("report.shards: 100001 of them"));
}

TEST(DiscoveryStreamTest, ATypeOfALaterReleaseThatIsHeldIsLeftAlone) {
  Harness h;
  h.Opens({Held({.type = static_cast<v1::ResourceType>(9), .name = "later"}, "v")});
  EXPECT_THAT(h.Sent(), IsEmpty());
}

TEST(DiscoveryStreamTest, ANodeWithoutAFleetIsOfTheDefaultOne) {
  Harness h;
  v1::DiscoveryRequest request = FirstRequest();
  request.mutable_node()->clear_fleet();
  h.Asks(request);
  EXPECT_EQ(h.proxy().fleet(), "default");
}

TEST(DiscoveryStreamTest, AReportIsKeptAndChangesNothing) {
  Harness h;
  h.Sets("alpha", "p1", "e1");
  h.Opens();
  h.Sent();
  v1::DiscoveryRequest request;
  request.mutable_report()->set_sessions(7);
  EXPECT_TRUE(h.Asks(request).reported);
  EXPECT_THAT(h.Sent(), ElementsAre("nothing"));
  const v1::Proxy proxy = h.proxy().Describe(*h.cache.View("blue"));
  EXPECT_EQ(proxy.report().sessions(), 7);
  EXPECT_EQ(proxy.reported().seconds(), 1'700'000'000);
  EXPECT_FALSE(proxy.in_sync());
}

// Lists are ordered and paged by them, and a proxy could hide between two pages.
TEST(DiscoveryStreamTest, ANodeWithAControlCharacterIsRefused) {
  for (const std::string& bad :
       std::vector<std::string>{"a\tx", "b\x01", "c\n", "d\x7f", std::string("e\0", 2)}) {
    v1::DiscoveryRequest request = FirstRequest();
    request.mutable_node()->set_id(bad);
    EXPECT_EQ(Harness().Refuses(request), "node.id: found a control character");
    request = FirstRequest();
    request.mutable_node()->set_fleet(bad);
    EXPECT_EQ(Harness().Refuses(request), "node.fleet: found a control character");
    request = FirstRequest();
    request.mutable_node()->set_zone(bad);
    EXPECT_EQ(Harness().Refuses(request), "node.zone: found a control character");
    request = FirstRequest();
    request.mutable_node()->set_build(bad);
    EXPECT_EQ(Harness().Refuses(request), "node.build: found a control character");
    request = FirstRequest();
    request.mutable_node()->add_capabilities(bad);
    EXPECT_EQ(Harness().Refuses(request), "node.capabilities: found a control character");
  }
  v1::DiscoveryRequest request = FirstRequest();
  request.mutable_node()->set_zone("Zürich 1");
  Harness().Asks(request);
}

}  // namespace
}  // namespace weir
