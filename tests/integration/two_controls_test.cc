// Two control planes over the same data: the first is stopped and goes on when the second has taken
// its directory over. Real weir-controls and proxies, fake shards that say who they are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/weir/v1/admin.pb.h"
#include "proxy/base/strings.h"
#include "tests/integration/control_under_test.h"
#include "tests/integration/live_fleet.h"
#include "tests/integration/weir_process.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"
#include "tests/support/sockets.h"

namespace weir {
namespace {

using testing::HasSubstr;

using Stub = v1::AdminService::Stub;

constexpr size_t kProxies = 3;
// Until proxies turn away from a control plane that is stopped: their keepalive tells them, after
// 20 s.
constexpr std::chrono::seconds kTurned{60};

class TwoControlsTest : public ::testing::Test {
 protected:
  // The shard a is the fake shard 0, and so on.
  NamedShard Shard(size_t index) const {
    return {std::string(1, static_cast<char>('a' + index)), shards_.address(index)};
  }

  // The shards that answer for some keys through each proxy: they agree; "?" for what is no answer.
  std::set<std::string> ShardsServed() {
    std::vector<std::set<std::string>> served(kProxies);
    for (size_t proxy = 0; proxy < kProxies; ++proxy) {
      RespClient client = fleet_.ClientOf(proxy);
      for (uint32_t i = 0; i < 100; ++i) {
        const std::optional<Reply> reply = client.Get(StrCat(i * 2654435761u, ":user"));
        served[proxy].insert(reply.has_value() && reply->type == '$' ? reply->text : "?");
      }
      EXPECT_EQ(served[proxy], served[0]) << "proxy " << proxy;
    }
    return served[0];
  }

  // "p0 pool alpha 1234567890abcdef" and so on: what the proxies hold, as this control plane knows.
  std::set<std::string> Held() {
    std::set<std::string> lines;
    for (const v1::Proxy& proxy : fleet_.Proxies()) {
      for (const v1::HeldResource& held : proxy.applied()) {
        lines.insert(StrCat(proxy.node().id(), " ", v1::ResourceType_Name(held.key().type()), " ",
                            held.key().name(), " ", held.version()));
      }
    }
    return lines;
  }

  // As who takes the first for dead would: removes its lock, and starts the second.
  void TakeOver() {
    ASSERT_EQ(unlink((second_.data_directory() + "/lock").c_str()), 0);
    second_.Start();
    fleet_.GoTo(second_);
  }

  // The first has offered its Pool and Endpoints to every proxy, and each has left them alone.
  bool FirstIsBehind() {
    return Eventually([this] {
      const std::string page = fleet_.control().Page("/metrics");
      const size_t at = page.find("\nweir_control_stale_total ");
      return at != page.npos && std::stod(page.substr(page.find(' ', at))) >= 2 * kProxies;
    });
  }

  FakeShards shards_{4};
  const uint16_t next_port_ = FreePort();
  LiveFleet fleet_{kProxies, {Shard(0), Shard(1)}, StrCat("127.0.0.1:", next_port_)};
  ControlUnderTest second_{fleet_.control(), next_port_};
};

TEST_F(TwoControlsTest, NoProxyGoesBackToWhatAControlPlaneThatWasStoppedHas) {
  ControlUnderTest& first = fleet_.control();
  first.process().Signal(SIGSTOP);
  TakeOver();
  ASSERT_TRUE(fleet_.InSync(kTurned));
  fleet_.AddShard(Shard(2));
  const std::set<std::string> served = {"0", "1", "2"};
  EXPECT_EQ(ShardsServed(), served);
  const std::set<std::string> held = Held();
  const std::string file = ReadFile(second_.data_directory() + "/pools/alpha.yml");

  // The first goes on where it was, and may not write.
  first.process().Signal(SIGCONT);
  fleet_.GoTo(first);
  v1::AddShardRequest add;
  add.set_pool("alpha");
  add.mutable_shard()->set_name("d");
  add.mutable_shard()->set_endpoint(shards_.address(3));
  add.mutable_options()->set_force(true);
  v1::ChangeResponse refused;
  const grpc::Status status = first.Try(&Stub::AddShard, add, refused);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the lock was taken away"));

  // All proxies come back to it.
  second_.Kill();
  EXPECT_TRUE(FirstIsBehind());
  EXPECT_EQ(Held(), held);
  EXPECT_EQ(ShardsServed(), served);
  EXPECT_EQ(ReadFile(second_.data_directory() + "/pools/alpha.yml"), file);

  first.Kill();
  second_.Start();
  fleet_.GoTo(second_);
  EXPECT_TRUE(fleet_.InSync());
  EXPECT_EQ(Held(), held);
  fleet_.RemoveShard("b");
  EXPECT_EQ(ShardsServed(), (std::set<std::string>{"0", "2"}));
}

}  // namespace
}  // namespace weir
