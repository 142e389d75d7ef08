#include "tests/benchmark/fleet/held_versions.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "controlplane/model/canonical.h"
#include "proto/resource_id.h"

namespace weir::benchmark {
namespace {

v1::Pool NewPool(std::string_view name, std::string_view uid) {
  v1::Pool pool;
  pool.set_name(std::string(name));
  pool.set_uid(std::string(uid));
  pool.mutable_status()->set_version("00000000000000a1");
  pool.mutable_status()->set_endpoints_version("00000000000000a2");
  return pool;
}

v1::Resource NewEndpoints(std::string_view pool, std::string_view version, uint64_t generation) {
  v1::Resource resource;
  *resource.mutable_key() = KeyOf(EndpointsId(pool));
  resource.set_version(std::string(version));
  resource.set_uid("uid-b");
  resource.set_generation(generation);
  resource.mutable_endpoints()->add_slots()->set_slot("s");
  return resource;
}

v1::DiscoveryResponse ResponseOf(const v1::Resource& resource) {
  v1::DiscoveryResponse response;
  *response.add_changed() = resource;
  return response;
}

class HeldVersionsTest : public testing::Test {
 protected:
  std::string Take(const v1::Resource& resource) {
    return std::string(held_.Take(ResponseOf(resource)).message());
  }

  const std::vector<v1::Pool> pools_ = {NewPool("a", "uid-a"), NewPool("b", "uid-b")};
  const Catalog catalog_{pools_};
  HeldVersions held_{catalog_, /*checks_content=*/false};
};

TEST_F(HeldVersionsTest, HoldsWhatWasSentLast) {
  EXPECT_EQ(Take(NewEndpoints("b", "0000000000000001", 1)), "");
  EXPECT_EQ(Take(NewEndpoints("b", "0000000000000002", 2)), "");
  EXPECT_EQ(held_.versions(), (Versions{0, 0, 0, 2}));
}

TEST_F(HeldVersionsTest, ExpectsWhatTheAdminApiSays) {
  Versions versions(catalog_.resources());
  EXPECT_TRUE(SetVersions(catalog_, pools_[1], versions));
  EXPECT_EQ(versions, (Versions{0, 0, 0xa1, 0xa2}));
  EXPECT_FALSE(SetVersions(catalog_, NewPool("c", "uid-c"), versions));
}

TEST_F(HeldVersionsTest, RefusesWhatItHolds) {
  EXPECT_EQ(Take(NewEndpoints("b", "0000000000000001", 1)), "");
  EXPECT_EQ(Take(NewEndpoints("b", "0000000000000001", 2)),
            "RESOURCE_ENDPOINTS 'b' 0000000000000001: sent though it is held");
}

TEST_F(HeldVersionsTest, RefusesAnOlderGeneration) {
  EXPECT_EQ(Take(NewEndpoints("b", "0000000000000001", 5)), "");
  EXPECT_EQ(Take(NewEndpoints("b", "0000000000000002", 4)),
            "RESOURCE_ENDPOINTS 'b' 0000000000000002: generation 4 after 5");
}

TEST_F(HeldVersionsTest, RefusesWhatIsNotMeantForIt) {
  EXPECT_EQ(Take(NewEndpoints("c", "0000000000000001", 1)),
            "RESOURCE_ENDPOINTS 'c' 0000000000000001: not of this fleet");
  EXPECT_EQ(Take(NewEndpoints("a", "0000000000000001", 1)),
            "RESOURCE_ENDPOINTS 'a' 0000000000000001: of another uid");
  EXPECT_EQ(Take(NewEndpoints("b", "1", 1)), "RESOURCE_ENDPOINTS 'b' 1: no version");
  v1::Resource without_body = NewEndpoints("b", "0000000000000001", 1);
  without_body.clear_endpoints();
  EXPECT_EQ(Take(without_body),
            "RESOURCE_ENDPOINTS 'b' 0000000000000001: without a body of its type");
}

TEST_F(HeldVersionsTest, RefusesARemoval) {
  v1::DiscoveryResponse response;
  *response.add_removed()->mutable_key() = KeyOf(PoolId("a"));
  EXPECT_EQ(std::string(held_.Take(response).message()), "removed: 'a', expected nothing");
}

TEST_F(HeldVersionsTest, ComparesVersionAndContentWhenAskedTo) {
  HeldVersions held(catalog_, /*checks_content=*/true);
  v1::Resource resource = NewEndpoints("b", "0000000000000001", 1);
  EXPECT_EQ(std::string(held.Take(ResponseOf(resource)).message()),
            "RESOURCE_ENDPOINTS 'b' 0000000000000001: not the version of its content");
  resource.set_version(ContentVersion(resource.endpoints()));
  EXPECT_TRUE(held.Take(ResponseOf(resource)).ok());
}

}  // namespace
}  // namespace weir::benchmark
