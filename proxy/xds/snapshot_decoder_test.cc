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
  SnapshotDecoder decoder(held,
                          Change({PoolWith("alpha", {"shard1", "shard2", "shard3"}),
                                  EndpointsWith("alpha", {{"shard1", {"127.0.0.1:1", "[::1]:2"}},
                                                          {"shard2", {"/run/s2"}},
                                                          {"gone", {"127.0.0.1:9"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(ErrorLines(decoder), IsEmpty());
  ASSERT_TRUE(decoded.changed.contains("alpha"));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")),
              ElementsAre("shard1=127.0.0.1:1+[::1]:2", "shard2=/run/s2", "shard3="));
}

TEST(SnapshotDecoderTest, APoolWaitsForItsEndpoints) {
  const HeldResources held;
  SnapshotDecoder decoder(held, Change({PoolWith("alpha", {"shard1"})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(decoded.changed, IsEmpty());
  EXPECT_THAT(decoded.waiting, ElementsAre("alpha"));
  EXPECT_THAT(ErrorLines(decoder), IsEmpty());
}

TEST(SnapshotDecoderTest, OnlyPoolsThatTheChangeTouchesAreDecoded) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}}),
            PoolWith("beta", {"s"}), EndpointsWith("beta", {{"s", {"/b"}}})});
  SnapshotDecoder decoder(held, Change({EndpointsWith("beta", {{"s", {"/new"}}})}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_EQ(decoded.changed.size(), 1u);
  EXPECT_THAT(ServerLines(decoded.changed.at("beta")), ElementsAre("s=/new"));
}

TEST(SnapshotDecoderTest, ARemovedPoolIsToldOnce) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  SnapshotDecoder decoder(held, Change({}, {PoolId("alpha"), EndpointsId("alpha")}));
  EXPECT_THAT(decoder.Decode().removed, ElementsAre("alpha"));
}

TEST(SnapshotDecoderTest, AWrongFieldIsNamedAndTheRestOfTheChangeIsTaken) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  v1::Resource wrong = PoolWith("alpha", {"s", "t"});
  wrong.mutable_pool()->mutable_policy()->set_hash("md6");
  SnapshotDecoder decoder(held, Change({wrong, EndpointsWith("alpha", {{"s", {"/new"}}})}));
  const DecodedPools decoded = decoder.Decode();
  ASSERT_THAT(ErrorLines(decoder), ElementsAre(HasSubstr("pool alpha alpha2: policy.hash: found")));
  EXPECT_THAT(ServerLines(decoded.changed.at("alpha")), ElementsAre("s=/new"));
}

TEST(SnapshotDecoderTest, AWrongAddressIsNamedAndTheOldOnesStay) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  SnapshotDecoder decoder(held,
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
  SnapshotDecoder decoder(held, Change({NewSecret("key", "after")}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_EQ(decoded.changed.size(), 1u);
  EXPECT_EQ(decoded.changed.at("alpha").redis_auth, "after");
}

TEST(SnapshotDecoderTest, APoolWhoseSecretIsUnknownIsRefused) {
  const HeldResources held;
  SnapshotDecoder decoder(
      held, Change({PoolWith("alpha", {"s"}, "key"), EndpointsWith("alpha", {{"s", {"/a"}}})}));
  EXPECT_THAT(decoder.Decode().changed, IsEmpty());
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre(HasSubstr("pool alpha alpha1: policy.redis_auth_secret: found 'key'")));
}

TEST(SnapshotDecoderTest, APoolKeepsThePasswordOfASecretThatIsTakenAway) {
  const HeldResources held = Hold({PoolWith("alpha", {"s"}, "key"),
                                   EndpointsWith("alpha", {{"s", {"/a"}}}), NewSecret("key", "k")});
  SnapshotDecoder decoder(held, Change({}, {SecretId("key")}));
  const DecodedPools decoded = decoder.Decode();
  EXPECT_THAT(decoded.changed, IsEmpty());
  EXPECT_THAT(decoded.removed, IsEmpty());
}

TEST(SnapshotDecoderTest, ARefusedPoolGoesBackAndItsNewEndpointsStay) {
  const HeldResources held =
      Hold({PoolWith("alpha", {"s"}), EndpointsWith("alpha", {{"s", {"/a"}}})});
  SnapshotDecoder decoder(held, Change({PoolWith("alpha", {"s", "t"}), PoolWith("beta", {"s"}),
                                        EndpointsWith("alpha", {{"s", {"/new"}}})}));
  decoder.Decode();
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
  SnapshotDecoder decoder(held, Change({EndpointsWith("alpha", {{"s", {"/a"}}})}));
  EXPECT_EQ(decoder.Decode().changed.size(), 1u);
  EXPECT_TRUE(decoder.Refuse("alpha", "policy.listen", "in use"));
  EXPECT_THAT(decoder.Decode().waiting, ElementsAre("alpha"));
  EXPECT_THAT(ErrorLines(decoder),
              ElementsAre("endpoints alpha e: : pool's policy.listen: in use"));
}

}  // namespace
}  // namespace weir
