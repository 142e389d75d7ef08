#include "controlplane/model/pool_spec.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

v1::PoolSpec SpecOf(const std::vector<std::pair<std::string, std::string>>& servers) {
  v1::PoolSpec spec;
  spec.mutable_policy()->set_listen("127.0.0.1:22121");
  for (const auto& [name, endpoint] : servers) {
    v1::ShardSpec& shard = *spec.add_servers();
    shard.set_name(name);
    shard.set_endpoint(endpoint);
  }
  return spec;
}

TEST(PoolSpecTest, TheOrderOfServersAndCommandsIsNoDifference) {
  v1::PoolSpec one = SpecOf({{"a", "h:1"}, {"b", "h:2"}});
  v1::PoolSpec other = SpecOf({{"b", "h:2"}, {"a", "h:1"}});
  for (const char* name : {"bf.add", "json.get"})
    one.mutable_policy()->add_commands()->set_name(name);
  for (const char* name : {"json.get", "bf.add"}) {
    other.mutable_policy()->add_commands()->set_name(name);
  }
  EXPECT_TRUE(IsSameSpec(one, other));
}

TEST(PoolSpecTest, SpellingIsNoDifference) {
  v1::PoolSpec one = SpecOf({{"a", "10.0.0.1:06379"}, {"b", "::1:6379"}});
  v1::PoolSpec other = SpecOf({{"a", "10.0.0.1:6379"}, {"b", "[::1]:6379"}});
  other.mutable_servers(0)->set_weight(1);  // 0 counts as 1
  other.mutable_guard();
  EXPECT_TRUE(IsSameSpec(one, other));
}

TEST(PoolSpecTest, WhatCountsIsADifference) {
  const v1::PoolSpec spec = SpecOf({{"a", "h:1"}});
  EXPECT_FALSE(IsSameSpec(spec, SpecOf({{"a", "h:2"}})));
  EXPECT_FALSE(IsSameSpec(spec, SpecOf({{"b", "h:1"}})));
  v1::PoolSpec other = spec;
  other.mutable_servers(0)->set_weight(2);
  EXPECT_FALSE(IsSameSpec(spec, other));
  other = spec;
  other.mutable_guard()->set_min_shards(0);  // said, though it is the protocol's default
  EXPECT_FALSE(IsSameSpec(spec, other));
  other = spec;
  other.mutable_policy()->set_timeout(0);
  EXPECT_FALSE(IsSameSpec(spec, other));
}

TEST(PoolSpecTest, AnEndpointThatCannotBeParsedStaysToBeRefused) {
  EXPECT_EQ(NormalisedEndpoint("nowhere"), "nowhere");
  EXPECT_EQ(NormalisedEndpoint("/run/x.sock"), "/run/x.sock");
}

}  // namespace
}  // namespace weir
