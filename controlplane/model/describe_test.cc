#include "controlplane/model/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::Slot& Add(Slots& slots, const char* name) {
  v1::Slot& slot = *slots.Add();
  slot.set_name(name);
  slot.set_weight(1);
  slot.set_endpoint("10.0.0.1:6379");
  slot.set_state(v1::SLOT_ACTIVE);
  return slot;
}

TEST(DescribeTest, NothingForNothing) {
  Slots slots;
  Add(slots, "a");
  EXPECT_THAT(DescribeChange({}, slots, {}, slots), IsEmpty());
}

TEST(DescribeTest, SaysWhatHappensToEachShard) {
  Slots before;
  Add(before, "a");
  Add(before, "b");
  Add(before, "c");
  Slots after;
  Add(after, "d").set_weight(2);
  Add(after, "b").set_state(v1::SLOT_DRAINING);
  v1::Slot& a = Add(after, "a");
  a.set_weight(3);
  a.set_endpoint("10.0.0.9:6379");
  EXPECT_THAT(
      DescribeChange({}, before, {}, after),
      ElementsAre("shard a: weight 1 -> 3", "shard a: endpoint 10.0.0.1:6379 -> 10.0.0.9:6379",
                  "shard b: active -> draining", "remove shard c",
                  "add shard d (10.0.0.1:6379, weight 2)"));
}

TEST(DescribeTest, TwoHundredLinesAreTheMost) {
  Slots slots;
  for (int i = 0; i < 200; ++i) Add(slots, StrCat("s", 1000 + i).c_str());
  EXPECT_EQ(DescribeChange({}, {}, {}, slots).back(), "add shard s1199 (10.0.0.1:6379, weight 1)");
  Add(slots, "s1200");
  const std::vector<std::string> lines = DescribeChange({}, {}, {}, slots);
  EXPECT_EQ(lines.size(), 200u);
  EXPECT_EQ(lines[198], "add shard s1198 (10.0.0.1:6379, weight 1)");
  EXPECT_EQ(lines.back(), "and 2 more");
}

TEST(DescribeTest, SaysWhichKeysOfThePolicyChange) {
  v1::PoolSpec before;
  before.mutable_policy()->set_timeout(400);
  before.mutable_policy()->set_hash("md5");
  v1::PoolSpec after = before;
  after.set_fleet("edge");
  after.mutable_policy()->set_timeout(500);
  after.mutable_policy()->clear_hash();
  after.mutable_policy()->set_listen("127.0.0.1:1");
  after.mutable_policy()->add_commands()->set_name("json.get");
  after.mutable_guard()->set_min_shards(2);
  EXPECT_THAT(
      DescribeChange(before, {}, after, {}),
      ElementsAre("fleet: \"\" -> \"edge\"", "guard.min_shards: unset -> 2",
                  "policy.listen: unset -> \"127.0.0.1:1\"", "policy.hash: \"md5\" -> unset",
                  "policy.timeout: 400 -> 500", "policy.commands: unset -> 1 item"));
}

TEST(DescribeTest, ADeclarationThatCatchesUpWithLiveChangesIsNoted) {
  Slots slots;
  Add(slots, "a");
  v1::PoolSpec after;
  after.add_servers()->set_name("a");
  EXPECT_THAT(DescribeChange({}, slots, after, slots),
              ElementsAre("servers: declared anew; no shard in force changes"));
}

}  // namespace
}  // namespace weir
