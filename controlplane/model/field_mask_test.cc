#include "controlplane/model/field_mask.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "proto/weir/v1/pool.pb.h"

namespace weir {
namespace {

google::protobuf::FieldMask Mask(std::initializer_list<const char*> paths) {
  google::protobuf::FieldMask mask;
  for (const char* path : paths) mask.add_paths(path);
  return mask;
}

v1::PoolSpec Spec(uint32_t timeout, std::initializer_list<const char*> servers) {
  v1::PoolSpec spec;
  spec.mutable_policy()->set_timeout(timeout);
  spec.mutable_policy()->set_hash("md5");
  for (const char* server : servers) spec.add_servers()->set_name(server);
  return spec;
}

TEST(FieldMaskTest, ChangesOnlyWhatItNames) {
  v1::PoolSpec to = Spec(100, {"a"});
  v1::PoolSpec from = Spec(200, {"b", "c"});
  from.mutable_policy()->set_hash("murmur");
  ApplyMask(Mask({"policy.timeout"}), from, to);
  EXPECT_EQ(to.policy().timeout(), 200u);
  EXPECT_EQ(to.policy().hash(), "md5");
  EXPECT_EQ(to.servers_size(), 1);
}

TEST(FieldMaskTest, ReplacesRepeatedFieldsWhole) {
  v1::PoolSpec to = Spec(100, {"a"});
  ApplyMask(Mask({"servers"}), Spec(200, {"b", "c"}), to);
  ASSERT_EQ(to.servers_size(), 2);
  EXPECT_EQ(to.servers(0).name(), "b");
  EXPECT_EQ(to.policy().timeout(), 100u);
}

TEST(FieldMaskTest, UnsetsWhatIsNotSet) {
  v1::PoolSpec to = Spec(100, {"a"});
  ApplyMask(Mask({"policy.timeout", "servers", "guard.min_shards"}), v1::PoolSpec(), to);
  EXPECT_FALSE(to.policy().has_timeout());
  EXPECT_EQ(to.policy().hash(), "md5");
  EXPECT_EQ(to.servers_size(), 0);
  EXPECT_FALSE(to.guard().has_min_shards());
}

TEST(FieldMaskTest, AnEmptyMaskNamesEverything) {
  v1::PoolSpec to = Spec(100, {"a"});
  ApplyMask({}, Spec(200, {}), to);
  EXPECT_EQ(to.policy().timeout(), 200u);
  EXPECT_EQ(to.servers_size(), 0);
}

TEST(FieldMaskTest, FindsPathsThatNameNoField) {
  const v1::PoolSpec spec;
  EXPECT_EQ(FindBadPath(Mask({"policy", "policy.timeout", "servers", "guard.min_shards"}), spec),
            std::nullopt);
  EXPECT_EQ(FindBadPath(Mask({"fleet", "policy.timeuot"}), spec), "policy.timeuot");
  EXPECT_EQ(FindBadPath(Mask({"servers.name"}), spec), "servers.name");
  EXPECT_EQ(FindBadPath(Mask({"fleet.x"}), spec), "fleet.x");
  EXPECT_EQ(FindBadPath(Mask({"policy."}), spec), "policy.");
  EXPECT_EQ(FindBadPath(Mask({""}), spec), "");
}

}  // namespace
}  // namespace weir
