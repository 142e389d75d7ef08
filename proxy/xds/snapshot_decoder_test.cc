#include "proxy/xds/snapshot_decoder.h"

#include <initializer_list>
#include <memory>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Resource PoolWith(std::string_view name, std::initializer_list<const char*> slots,
                      std::string_view secret = {}) {
  v1::Resource resource = NewPool(name, StrCat(name, slots.size()), {}, secret);
  resource.mutable_pool()->mutable_policy()->set_redis(true);
  for (const char* slot : slots) {
    v1::RingSlot& ring_slot = *resource.mutable_pool()->add_slots();
    ring_slot.set_name(slot);
    ring_slot.set_weight(1);
  }
  return resource;
}

// Nothing is in force.
const ServedPools kNothing;

struct SlotPlaces {
  const char* slot;
  std::vector<const char*> addresses;
};

v1::Resource EndpointsWith(std::string_view name, std::initializer_list<SlotPlaces> slots) {
  v1::Resource resource = NewResource(EndpointsId(name), "e", {});
  for (const SlotPlaces& places : slots) {
    v1::SlotEndpoints& slot = *resource.mutable_endpoints()->add_slots();
    slot.set_slot(places.slot);
    for (const char* address : places.addresses) slot.add_addresses(address);
  }
  return resource;
}

HeldResources Hold(std::initializer_list<v1::Resource> resources) {
  HeldResources held;
  for (const v1::Resource& resource : resources) {
    held[IdOf(resource.key())] = std::make_shared<v1::Resource>(resource);
  }
  return held;
}

ResourceChange Change(std::initializer_list<v1::Resource> resources,
                      std::vector<ResourceId> removed = {}) {
  ResourceChange change;
  for (const v1::Resource& resource : resources) {
    change.changed.push_back(std::make_shared<v1::Resource>(resource));
  }
  change.removed = std::move(removed);
  return change;
}

// As these resources are in force.
ServedPools Served(const HeldResources& resources) {
  ResourceChange change;
  for (const auto& [id, resource] : resources) change.changed.push_back(resource);
  const HeldResources held;
  return SnapshotDecoder(held, kNothing, change).Decode().changed;
}

std::vector<std::string> ErrorLines(const SnapshotDecoder& decoder) {
  std::vector<std::string> lines;
  for (const v1::ResourceError& error : decoder.errors()) {
    lines.push_back(StrCat(Line(error), ": ", error.field(), ": ", error.error_detail()));
  }
  return lines;
}

// "shard1=127.0.0.1:1+127.0.0.1:2".
std::vector<std::string> ServerLines(const PoolConfig& pool) {
  std::vector<std::string> lines;
  for (const ShardConfig& shard : pool.servers) {
    std::string line =
        StrCat(shard.name, "=", shard.HasNoPlace() ? "" : FormatEndpoint(shard.endpoint));
    for (const Endpoint& endpoint : shard.more_endpoints) {
      StrAppend(&line, "+", FormatEndpoint(endpoint));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

TEST(SnapshotDecoderTest, APoolIsMadeOfItsPoolAndItsEndpoints) {
  const HeldResources held;
  SnapshotDecoder decoder(held, kNothing,
                          Change({PoolWith("alpha", {"shard1", "shard2", "shard3"}),
                                  EndpointsWith("alpha", {{"shard1", {"127.0.0.1:1", "[::1]:2"}},
                                                          {"shard2", {"/run/s2"}},
                                                          {"shard3", {}},
                                                          {"gone", {"127.0.0.1:9"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(ErrorLines(decoder), IsEmpty());
  ASSERT_TRUE(decoded.changed.contains("alpha"));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")),
              ElementsAre("shard1=127.0.0.1:1+[::1]:2", "shard2=/run/s2", "shard3="));
}

TEST(SnapshotDecoderTest, APoolWithoutEndpointsIsRefusedForItIsNotInForce) {
  const HeldResources held;
  SnapshotDecoder decoder(held, kNothing, Change({PoolWith("alpha", {"shard1"})}));
  EXPECT_THAT(decoder.Decode().changed, IsEmpty());
  EXPECT_THAT(ErrorLines(decoder), ElementsAre("pool alpha alpha1: : found no Endpoints of its "
                                               "name, expected them with it"));
}

TEST(SnapshotDecoderTest, OnlyPoolsThatTheChangeTouchesAreDecoded) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}}),
            PoolWith("beta", {"s"}), EndpointsWith("beta", {{"s", {"/b"}}})});
  SnapshotDecoder decoder(held, kNothing, Change({EndpointsWith("beta", {{"s", {"/new"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_EQ(decoded.changed.size(), 1u);
  EXPECT_THAT(ServerLines(decoded.changed.at("beta")), ElementsAre("s=/new"));
}

TEST(SnapshotDecoderTest, ARemovedPoolIsToldOnce) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  SnapshotDecoder decoder(held, kNothing, Change({}, {PoolId("alpha"), EndpointsId("alpha")}));
  EXPECT_THAT(decoder.Decode().removed, ElementsAre("alpha"));
}

TEST(SnapshotDecoderTest, AWrongFieldIsNamedAndTheRestOfTheChangeIsTaken) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  v1::Resource wrong = PoolWith("alpha", {"s", "t"});
  wrong.mutable_pool()->mutable_policy()->set_hash("md6");
  SnapshotDecoder decoder(held, kNothing,
                          Change({wrong, EndpointsWith("alpha", {{"s", {"/new"}}})}));
  const DecodedPools decoded = decoder.Decode();
  ASSERT_THAT(ErrorLines(decoder), ElementsAre(HasSubstr("pool alpha alpha2: policy.hash: found")));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")), ElementsAre("s=/new"));
}

TEST(SnapshotDecoderTest, AWrongAddressIsNamedAndTheOldOnesStay) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  SnapshotDecoder decoder(held, kNothing,
                          Change({EndpointsWith("alpha", {{"s", {"/b", "redis.example:6379"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre("endpoints alpha e: slots[0].addresses[1]: found 'redis.example:6379', "
                          "expected 'ip:port', '[ipv6]:port' or '/path'"));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")), ElementsAre("s=/a"));
}

TEST(SnapshotDecoderTest, ASecretReachesThePoolsThatReferToIt) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}, "key"), EndpointsWith("alpha", {{"s", {"/a"}}}),
            PoolWith("beta", {"s"}), EndpointsWith("beta", {{"s", {"/b"}}}),
            NewSecret("key", "before")});
  SnapshotDecoder decoder(held, kNothing, Change({NewSecret("key", "after")}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_EQ(decoded.changed.size(), 1u);
  EXPECT_EQ(decoded.changed.at("alpha").redis_auth, "after");
}

TEST(SnapshotDecoderTest, APoolWhoseSecretIsUnknownIsRefused) {
  const HeldResources held;
  SnapshotDecoder decoder(
      held, kNothing,
      Change({PoolWith("alpha", {"s"}, "key"), EndpointsWith("alpha", {{"s", {"/a"}}})}));
  EXPECT_THAT(decoder.Decode().changed, IsEmpty());
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre(HasSubstr("pool alpha alpha1: policy.redis_auth_secret: found 'key'")));
}

TEST(SnapshotDecoderTest, APoolKeepsThePasswordOfASecretThatIsTakenAway) {
  const HeldResources held = Hold({PoolWith("alpha", {"s"}, "key"),
                                   EndpointsWith("alpha", {{"s", {"/a"}}}), NewSecret("key", "k")});
  SnapshotDecoder decoder(held, kNothing, Change({}, {SecretId("key")}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(decoded.changed, IsEmpty());
  EXPECT_THAT(decoded.removed, IsEmpty());
}

// The addresses were said to be in force, and were not.
TEST(SnapshotDecoderTest, AddressesChangeThoughThePoolsSecretWasTakenAway) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}, "key"), EndpointsWith("alpha", {{"s", {"/a"}}})});
  ServedPools served =
      Served(Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})}));
  served.at("alpha").redis_auth = "k";
  SnapshotDecoder decoder(held, served, Change({EndpointsWith("alpha", {{"s", {"/new"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(ErrorLines(decoder), IsEmpty());
  ASSERT_TRUE(decoded.changed.contains("alpha"));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")), ElementsAre("s=/new"));
  EXPECT_EQ(decoded.changed.at("alpha").redis_auth, "k");
}

TEST(SnapshotDecoderTest, EndpointsOfAPoolThatCannotBeMadeOfWhatIsHeldAreRefused) {
  const HeldResources held = Hold({PoolWith("alpha", {"s"}, "key")});
  SnapshotDecoder decoder(held, kNothing, Change({EndpointsWith("alpha", {{"s", {"/a"}}})}));
  EXPECT_THAT(decoder.Decode().changed, IsEmpty());
  EXPECT_THAT(ErrorLines(decoder), ElementsAre(HasSubstr("endpoints alpha e: : pool's "
                                                         "policy.redis_auth_secret: found 'key'")));
}

TEST(SnapshotDecoderTest, AnotherPoolDoesNotInheritThePasswordOfASecretThatWasTakenAway) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}, "key"), EndpointsWith("alpha", {{"s", {"/a"}}})});
  ServedPools served =
      Served(Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})}));
  served.at("alpha").redis_auth = "k";
  SnapshotDecoder decoder(held, served,
                          Change({PoolWith("alpha", {"s", "t"}, "other"),
                                  EndpointsWith("alpha", {{"s", {"/new"}}, {"t", {"/t"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre(HasSubstr("pool alpha alpha2: policy.redis_auth_secret: found 'other'")));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")), ElementsAre("s=/new"));
}

// A shard was removed, but the Pool without it is refused: all requests for it failed.
TEST(SnapshotDecoderTest, ASlotThatIsStillOnTheRingKeepsItsAddressWhenEndpointsForgetIt) {
  const HeldResources held = Hold({PoolWith("alpha", {"s", "t"}),
                                   EndpointsWith("alpha", {{"s", {"/a"}}, {"t", {"/t", "/u"}}})});
  const ServedPools served = Served(held);
  SnapshotDecoder decoder(
      held, served, Change({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/new"}}})}));
  EXPECT_THAT(ServerLines(decoder.Decode().changed.at("alpha")), ElementsAre("s=/new"));
  EXPECT_TRUE(decoder.Refuse("alpha", "policy.listen", "in use"));
  EXPECT_THAT(ServerLines(decoder.Decode().changed.at("alpha")), ElementsAre("s=/new", "t=/t+/u"));
  EXPECT_THAT(ErrorLines(decoder), ElementsAre("pool alpha alpha1: policy.listen: in use"));
}

TEST(SnapshotDecoderTest, ASlotWithAnEntryAndNoAddressHasNone) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  const ServedPools served = Served(held);
  SnapshotDecoder decoder(held, served, Change({EndpointsWith("alpha", {{"s", {}}})}));
  EXPECT_THAT(ServerLines(decoder.Decode().changed.at("alpha")), ElementsAre("s="));
}

TEST(SnapshotDecoderTest, APoolWithASlotThatItsEndpointsDoNotNameIsRefused) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  const ServedPools served = Served(held);
  // The new ones are wrong, and the old ones do not know the slot.
  SnapshotDecoder decoder(held, served,
                          Change({PoolWith("alpha", {"s", "t"}),
                                  EndpointsWith("alpha", {{"s", {"/new"}}, {"t", {"name:1"}}})}));
  EXPECT_THAT(ServerLines(decoder.Decode().changed.at("alpha")), ElementsAre("s=/a"));
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre(HasSubstr("endpoints alpha e: slots[1].addresses[0]: found 'name:1'"),
                          "pool alpha alpha2: slots: found 't', expected slots that its Endpoints "
                          "name"));
}

TEST(SnapshotDecoderTest, ServedSlotsAreAddedToEndpointsWithoutThem) {
  const ServedPools served =
      Served(Hold({PoolWith("alpha", {"s", "t"}),
                   EndpointsWith("alpha", {{"s", {"/a"}}, {"t", {"/t", "[::1]:2"}}})}));
  v1::Resource endpoints = EndpointsWith("alpha", {{"s", {"/new"}}});
  AddServedSlots(served.at("alpha"), endpoints);
  EXPECT_EQ(endpoints.endpoints().SerializeAsString(),
            EndpointsWith("alpha", {{"s", {"/new"}}, {"t", {"/t", "[::1]:2"}}})
                .endpoints()
                .SerializeAsString());
}

// A proxy that started with them said that it had what the server has, and kept the slot.
TEST(SnapshotDecoderTest, EndpointsWithServedSlotsAddedAreNotCalledThoseOfTheServer) {
  const ServedPools served = Served(Hold(
      {PoolWith("alpha", {"s", "t"}), EndpointsWith("alpha", {{"s", {"/a"}}, {"t", {"/t"}}})}));
  v1::Resource whole = EndpointsWith("alpha", {{"s", {"/a"}}, {"t", {"/t"}}});
  whole.set_version("e1");
  AddServedSlots(served.at("alpha"), whole);
  EXPECT_EQ(whole.version(), "e1") << "nothing was added";
  v1::Resource less = EndpointsWith("alpha", {{"s", {"/a"}}});
  less.set_version("e2");
  AddServedSlots(served.at("alpha"), less);
  EXPECT_EQ(less.version(), "");
}

TEST(SnapshotDecoderTest, ARefusedPoolGoesBackAndItsNewEndpointsStay) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  SnapshotDecoder decoder(held, kNothing,
                          Change({PoolWith("alpha", {"s", "t"}), PoolWith("beta", {"s"}),
                                  EndpointsWith("alpha", {{"s", {"/new"}}, {"t", {}}}),
                                  EndpointsWith("beta", {{"s", {"/b"}}})}));
  EXPECT_EQ(decoder.Decode().changed.size(), 2u);
  EXPECT_TRUE(decoder.Refuse("alpha", "policy.listen", "in use"));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_EQ(decoded.changed.size(), 1u);
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")), ElementsAre("s=/new"));
  EXPECT_THAT(ErrorLines(decoder), ElementsAre("pool alpha alpha2: policy.listen: in use"));
  // Of the pool that is held nothing can be refused but what else came.
  EXPECT_TRUE(decoder.Refuse("alpha", "policy.listen", "in use"));
  EXPECT_FALSE(decoder.Refuse("alpha", "policy.listen", "in use"));
}

TEST(SnapshotDecoderTest, EndpointsAreBlamedWhereThePoolCameBefore) {
  const HeldResources held = Hold({PoolWith("alpha", {"s"})});
  SnapshotDecoder decoder(held, kNothing, Change({EndpointsWith("alpha", {{"s", {"/a"}}})}));
  EXPECT_EQ(decoder.Decode().changed.size(), 1u);
  EXPECT_TRUE(decoder.Refuse("alpha", "policy.listen", "in use"));
  EXPECT_THAT(decoder.Decode().changed, IsEmpty());
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre("endpoints alpha e: : pool's policy.listen: in use"));
}

}  // namespace
}  // namespace weir
