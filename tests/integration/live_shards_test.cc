// The shards of a pool change under load: real weir-control, real proxies, real redis shards, and
// clients that do not retry.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/live_fleet.h"
#include "tests/integration/redis_server.h"
#include "tests/integration/verified_load.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr size_t kProxies = 3;
constexpr size_t kClientsOfEachProxy = 2;
// What a RedisServer shows of its clients when only the one that asks is connected.
constexpr char kNobodyElse[] = "connected_clients:1\r\n";

class LiveShardsTest : public ::testing::Test {
 protected:
  std::vector<RespClient> Clients() {
    std::vector<RespClient> clients;
    for (size_t i = 0; i < kProxies * kClientsOfEachProxy; ++i) {
      clients.push_back(fleet_.ClientOf(i % kProxies));
    }
    return clients;
  }

  // No request failed and no value was wrong, and there was something to see.
  static void ExpectPerfect(const VerifiedLoad::Outcome& outcome) {
    EXPECT_EQ(outcome.failed, 0u) << outcome.first_problem;
    EXPECT_EQ(outcome.wrong, 0u) << outcome.first_problem;
    EXPECT_GT(outcome.requests, 1000u);
    EXPECT_GT(outcome.exact, 500u);
  }

  RedisServer a_;
  RedisServer b_;
  RedisServer c_;
  LiveFleet fleet_{kProxies, {{"a", a_.address()}, {"b", b_.address()}}};
};

TEST_F(LiveShardsTest, ShardsComeAndGoAndNoRequestFails) {
  VerifiedLoad load(Clients());
  load.During([&] { fleet_.AddShard({"c", c_.address()}); });
  EXPECT_NE(c_.Ask({"DBSIZE"}), "0");

  load.During([&] { fleet_.SetWeight("c", 2); });

  load.During([&] { fleet_.DrainShard("b"); });
  // Its connections have closed; requests in flight had their answers.
  EXPECT_TRUE(Eventually(
      [&] { return b_.Ask({"INFO", "clients"}).find(kNobodyElse) != std::string::npos; }));
  load.During([&] { fleet_.DrainShard("b", /*undo=*/true); });
  EXPECT_THAT(b_.Ask({"INFO", "clients"}), Not(HasSubstr(kNobodyElse)));

  load.During([&] { fleet_.RemoveShard("c"); });
  EXPECT_TRUE(Eventually(
      [&] { return c_.Ask({"INFO", "clients"}).find(kNobodyElse) != std::string::npos; }));
  // Nobody misses it.
  load.During([&] { c_.Kill(); });
  ExpectPerfect(load.Stop());
}

TEST_F(LiveShardsTest, ProxiesServeOnWithoutTheControlPlaneAndGoOnWithIt) {
  VerifiedLoad load(Clients());
  load.During([&] { fleet_.SetWeight("a", 2); });
  fleet_.control().Kill();
  EXPECT_TRUE(fleet_.proxy(0).Logs("control_lost"));
  // Nothing changes.
  load.During([] {});
  fleet_.control().Start();
  EXPECT_TRUE(fleet_.InSync());

  v1::GetPoolRequest request;
  request.set_name("alpha");
  const v1::Pool alpha = fleet_.control().Call(&v1::AdminService::Stub::GetPool, request);
  EXPECT_EQ(alpha.shard_map().slots(0).weight(), 2u);  // what was acknowledged
  load.During([&] { fleet_.AddShard({"c", c_.address()}); });
  EXPECT_NE(c_.Ask({"DBSIZE"}), "0");
  ExpectPerfect(load.Stop());
}

}  // namespace
}  // namespace weir
