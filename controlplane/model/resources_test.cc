#include "controlplane/model/resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/model/pool_view.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::PoolRecord Record() {
  v1::PoolRecord record;
  record.set_name("alpha");
  record.set_uid("uid-1");
  record.mutable_created()->set_seconds(1);
  record.mutable_changed()->set_seconds(2);
  record.mutable_spec()->mutable_policy()->set_listen("127.0.0.1:22121");
  record.set_declared_generation(3);
  v1::ShardMap& map = *record.mutable_shard_map();
  map.set_generation(7);
  for (const char* name : {"a", "b", "c"}) {
    v1::Slot& slot = *map.add_slots();
    slot.set_name(name);
    slot.set_weight(2);
    slot.set_state(v1::SLOT_ACTIVE);
    slot.set_source(v1::SLOT_FROM_SPEC);
    v1::ShardSpec& shard = *record.mutable_spec()->add_servers();
    shard.set_name(name);
    shard.set_weight(2);
  }
  map.mutable_slots(1)->set_state(v1::SLOT_DRAINING);
  return record;
}

TEST(ResourcesTest, ThePoolHasTheRingAndTheEndpointsHaveEverySlot) {
  PoolResources resources =
      ResourcesOf(Record(), {{"a", {"10.0.0.2:1", "10.0.0.1:1", "10.0.0.2:1"}}, {"x", {"y:1"}}});
  EXPECT_EQ(resources.pool.key().type(), v1::RESOURCE_POOL);
  EXPECT_EQ(resources.pool.key().name(), "alpha");
  EXPECT_EQ(resources.pool.uid(), "uid-1");
  EXPECT_EQ(resources.pool.generation(), 7u);
  const v1::PoolResource& pool = resources.pool.pool();
  ASSERT_EQ(pool.slots_size(), 2);
  EXPECT_EQ(pool.slots(0).name(), "a");
  EXPECT_EQ(pool.slots(0).weight(), 2u);
  EXPECT_EQ(pool.slots(1).name(), "c");
  EXPECT_EQ(pool.policy().listen(), "127.0.0.1:22121");

  EXPECT_EQ(resources.endpoints.key().type(), v1::RESOURCE_ENDPOINTS);
  const v1::EndpointsResource& endpoints = resources.endpoints.endpoints();
  ASSERT_EQ(endpoints.slots_size(), 3);
  EXPECT_EQ(endpoints.slots(1).slot(), "b");
  EXPECT_THAT(endpoints.slots(0).addresses(), ElementsAre("10.0.0.1:1", "10.0.0.2:1"));
  EXPECT_EQ(endpoints.slots(2).addresses_size(), 0);
  EXPECT_EQ(FindInconsistency(pool, endpoints), "");
}

TEST(ResourcesTest, ANewAddressChangesTheEndpointsOnly) {
  PoolResources before = ResourcesOf(Record(), {{"a", {"10.0.0.1:1"}}});
  PoolResources after = ResourcesOf(Record(), {{"a", {"10.0.0.2:1"}}});
  EXPECT_EQ(before.pool.version(), after.pool.version());
  EXPECT_NE(before.endpoints.version(), after.endpoints.version());
}

TEST(ResourcesTest, TheOrderInWhichAddressesAreFoundIsNoDifference) {
  PoolResources one = ResourcesOf(Record(), {{"a", {"10.0.0.1:1", "10.0.0.2:1"}}});
  PoolResources two = ResourcesOf(Record(), {{"a", {"10.0.0.2:1", "10.0.0.1:1"}}});
  EXPECT_EQ(one.endpoints.SerializeAsString(), two.endpoints.SerializeAsString());
}

TEST(ResourcesTest, UndoingADrainChangesThePoolOnly) {
  v1::PoolRecord undone = Record();
  undone.mutable_shard_map()->mutable_slots(1)->set_state(v1::SLOT_ACTIVE);
  PoolResources before = ResourcesOf(Record(), {});
  PoolResources after = ResourcesOf(undone, {});
  EXPECT_NE(before.pool.version(), after.pool.version());
  EXPECT_EQ(before.endpoints.version(), after.endpoints.version());
}

TEST(ResourcesTest, AnotherGenerationOfTheSameContentHasTheSameVersion) {
  v1::PoolRecord later = Record();
  later.mutable_shard_map()->set_generation(8);
  EXPECT_EQ(ResourcesOf(later, {}).pool.version(), ResourcesOf(Record(), {}).pool.version());
}

TEST(FindInconsistencyTest, FindsWhatDoesNotBelongTogether) {
  PoolResources good = ResourcesOf(Record(), {});
  v1::PoolResource pool = good.pool.pool();
  v1::EndpointsResource endpoints = good.endpoints.endpoints();
  endpoints.mutable_slots()->RemoveLast();
  EXPECT_EQ(FindInconsistency(pool, endpoints), "slot 'c' of the ring has no endpoints");
  *endpoints.add_slots() = endpoints.slots(1);
  EXPECT_THAT(FindInconsistency(pool, endpoints), HasSubstr("slot 'b' of the endpoints"));
  pool.mutable_slots()->SwapElements(0, 1);
  EXPECT_THAT(FindInconsistency(pool, good.endpoints.endpoints()),
              HasSubstr("slot 'a' of the ring"));
}

TEST(FleetOfTest, IsDefaultWhereNoneIsDeclared) {
  v1::PoolSpec spec;
  EXPECT_EQ(FleetOf(spec), "default");
  spec.set_fleet("edge");
  EXPECT_EQ(FleetOf(spec), "edge");
}

TEST(PoolViewTest, ShowsDriftVersionsAndWhatIsHeld) {
  v1::PoolRecord record = Record();
  record.mutable_held()->set_actor("bob");
  PoolResources resources = ResourcesOf(record, {});
  v1::Pool pool = PoolView(record, resources, {});
  EXPECT_EQ(pool.name(), "alpha");
  EXPECT_EQ(pool.uid(), "uid-1");
  EXPECT_EQ(pool.declared_generation(), 3u);
  EXPECT_EQ(pool.shard_map().generation(), 7u);
  EXPECT_EQ(pool.created().seconds(), 1);
  EXPECT_EQ(pool.status().changed().seconds(), 2);
  EXPECT_TRUE(pool.status().drifted());
  EXPECT_THAT(pool.status().drift(), ElementsAre("shard b: draining"));
  EXPECT_EQ(pool.status().held().actor(), "bob");
  EXPECT_EQ(pool.status().version(), resources.pool.version());
  EXPECT_EQ(pool.status().endpoints_version(), resources.endpoints.version());
  EXPECT_FALSE(pool.etag().empty());
}

TEST(PoolViewTest, NamesTheSecretThatIsMissing) {
  v1::PoolRecord record = Record();
  record.mutable_spec()->mutable_policy()->set_redis_auth_secret("auth");
  const PoolResources resources = ResourcesOf(record, {});
  Knowledge known{.has_address = nullptr, .has_secret = [](const std::string&) { return false; }};
  EXPECT_THAT(PoolView(record, resources, known).status().waiting(),
              ElementsAre("secret auth is not in the secrets directory"));
  known.has_secret = [](const std::string& name) { return name == "auth"; };
  EXPECT_EQ(PoolView(record, resources, known).status().waiting_size(), 0);
}

}  // namespace
}  // namespace weir
