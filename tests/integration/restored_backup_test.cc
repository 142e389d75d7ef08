// A control plane whose data are put back to a backup, under proxies that have gone on meanwhile:
// the steps of docs/control_plane.md, "Backups". A real weir-control and proxies, fake shards that
// say who they are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "proto/weir/v1/admin.pb.h"
#include "proxy/base/strings.h"
#include "tests/integration/control_under_test.h"
#include "tests/integration/live_fleet.h"
#include "tests/support/fake_shards.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using testing::HasSubstr;

using Stub = v1::AdminService::Stub;

constexpr uint32_t kProxies = 2;

class RestoredBackupTest : public ::testing::Test {
 protected:
  // A backup of generation 1, and four changes after it.
  RestoredBackupTest() {
    CopyAll(data_, backup_);
    for (const uint32_t weight : {2, 3, 4, 5}) fleet_.SetWeight("a", weight);
    EXPECT_EQ(Alpha().shard_map().generation(), 5u);
  }

  static void CopyAll(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

  void Restore(const std::vector<std::string>& flags = {}) {
    fleet_.control().Kill();
    CopyAll(backup_, data_);
    fleet_.control().Start(flags);
  }

  v1::Pool Alpha() {
    v1::GetPoolRequest request;
    request.set_name("alpha");
    return fleet_.control().Call(&Stub::GetPool, request);
  }

  v1::ChangeResponse SetWeight(uint32_t weight) {
    v1::UpdateShardRequest request;
    request.set_pool("alpha");
    request.set_shard("a");
    request.set_weight(weight);
    request.mutable_options()->set_force(true);
    request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
    return fleet_.control().Call(&Stub::UpdateShard, request);
  }

  FakeShards shards_{2};
  LiveFleet fleet_{kProxies, {{"a", shards_.address(0)}, {"b", shards_.address(1)}}};
  const std::string data_ = fleet_.control().data_directory();
  TempDirectory backups_;
  const std::string backup_ = StrCat(backups_.path(), "/backup");
};

TEST_F(RestoredBackupTest, NoProxyIsSaidToServeWhatItLeavesAloneAsOlder) {
  Restore();
  EXPECT_TRUE(Eventually([this] { return Alpha().status().proxies().refusing() == kProxies; }));
  const v1::ChangeResponse answer = SetWeight(7);
  ASSERT_EQ(answer.proxies_size(), static_cast<int>(kProxies));
  for (const v1::ProxyResult& result : answer.proxies()) {
    EXPECT_EQ(result.outcome(), v1::PROXY_NACKED);
    EXPECT_THAT(result.reason(), HasSubstr("the proxy holds generation 5, newer than 2"));
  }
  for (const v1::Proxy& proxy : fleet_.Proxies()) EXPECT_EQ(proxy.errors_size(), 1);
  EXPECT_THAT(fleet_.control().Log(), HasSubstr("warn resource_stale node=p"));
}

TEST_F(RestoredBackupTest, WithRestoredProxiesTakeTheBackupAndItsChanges) {
  Restore({"--restored"});
  EXPECT_TRUE(fleet_.InSync());
  EXPECT_TRUE(Eventually([this] { return Alpha().status().proxies().up_to_date() == kProxies; }));
  EXPECT_EQ(Alpha().shard_map().generation(), 2u);
  fleet_.SetWeight("a", 7);

  // Once more, and on with the same history afterwards.
  Restore({"--restored"});
  EXPECT_TRUE(fleet_.InSync());
  fleet_.SetWeight("a", 8);
  const std::string uid = Alpha().uid();
  fleet_.control().Kill();
  fleet_.control().Start();
  EXPECT_EQ(Alpha().uid(), uid);
  EXPECT_TRUE(fleet_.InSync());
  fleet_.SetWeight("a", 9);
}

}  // namespace
}  // namespace weir
