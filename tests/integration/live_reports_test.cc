// What operators learn of a fleet: ejections and restores, a proxy that stands still, and the log.
// Real weir-control, weirctl and proxies, fake shards.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/weir/v1/admin.pb.h"
#include "proxy/base/strings.h"
#include "tests/integration/live_fleet.h"
#include "tests/integration/weir_process.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"
#include "tests/support/sockets.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Stub = v1::AdminService::Stub;

// Without news reports are 5 s apart; what is closer together was told at once.
constexpr int64_t kAtOnceMs = 4000;
constexpr std::chrono::minutes kLong{2};

class LiveReportsTest : public ::testing::Test {
 protected:
  std::string DescribeAlpha() {
    return RunToEnd({Program("WEIRCTL"), StrCat("--server=", fleet_.control().admin_address()),
                     "describe", "pool", "alpha"})
        .output;
  }

  // Asks for keys of all shards through p0 until the list of proxies says that it has ejected b, or
  // that it has not. Whether the report that says so came less than kAtOnceMs after the one before.
  bool ToldAtOnce(RespClient& client, bool ejected) {
    bool at_once = false;
    EXPECT_TRUE(Eventually(
        [&] {
          for (int i = 0; i < 20; ++i) client.Get(StrCat("key", i));
          const v1::Proxy p0 = fleet_.Proxies().at(0);
          const int64_t reported =
              p0.reported().seconds() * 1000 + p0.reported().nanos() / 1'000'000;
          if (reported != reported_) {
            at_once = reported - reported_ < kAtOnceMs;
            reported_ = reported;
          }
          return HasEjectedB(p0.report()) == ejected;
        },
        kLong));
    return at_once;
  }

  static bool HasEjectedB(const v1::Report& report) {
    for (const v1::ShardReport& shard : report.shards()) {
      if (shard.pool() == "alpha" && shard.shard() == "b") return shard.ejected();
    }
    return false;
  }

  // The line of weir-control's log that has both; waits for it.
  std::string LogLine(std::string_view event, std::string_view detail) {
    std::string found;
    Eventually([&] {
      const std::string log = fleet_.control().Log();
      size_t begin = 0;
      for (size_t end = log.find('\n'); end != log.npos; end = log.find('\n', begin)) {
        const std::string line = log.substr(begin, end - begin);
        begin = end + 1;
        if (line.find(event) != line.npos && line.find(detail) != line.npos) found = line;
      }
      return !found.empty();
    });
    return found;
  }

  FakeShards shards_{3};
  LiveFleet fleet_{2, {{"a", shards_.address(0)}, {"b", shards_.address(1)}}};
  int64_t reported_ = 0;  // when p0's last report came, in ms since the epoch
};

TEST_F(LiveReportsTest, AnEjectionAndARestoreAreShownAtOnceAndNotOnlyWithThePeriodicReport) {
  v1::PoolPolicy policy;
  policy.set_auto_eject_hosts(true);
  policy.set_server_failure_limit(1);
  policy.set_server_retry_timeout(100);
  fleet_.SetPolicy(policy);
  RespClient client = fleet_.ClientOf(0);
  EXPECT_THAT(DescribeAlpha(), Not(HasSubstr("is ejected")));

  // One that comes just when the periodic report is due, or to a busy machine, proves nothing.
  bool ejected_at_once = false;
  bool restored_at_once = false;
  for (int round = 0; round < 20 && !(ejected_at_once && restored_at_once); ++round) {
    shards_.Stop(1);
    if (ToldAtOnce(client, true)) ejected_at_once = true;
    EXPECT_THAT(DescribeAlpha(), HasSubstr("shard 'b' is ejected by proxy 'p0'"));
    shards_.Start(1);
    if (ToldAtOnce(client, false)) restored_at_once = true;
    EXPECT_THAT(DescribeAlpha(), Not(HasSubstr("by proxy 'p0'")));
  }
  EXPECT_TRUE(ejected_at_once);
  EXPECT_TRUE(restored_at_once);
}

TEST_F(LiveReportsTest, AProxyThatStandsStillIsFoundByKeepaliveIsGoneAndComesBack) {
  fleet_.proxy(1).process().Signal(SIGSTOP);
  v1::UpdateShardRequest request;
  request.set_pool("alpha");
  request.set_shard("b");
  request.set_weight(2);
  request.mutable_options()->set_force(true);
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  request.mutable_options()->mutable_wait_timeout()->set_seconds(
      std::chrono::seconds(kLong).count());
  const v1::ChangeResponse changed = fleet_.control().Call(&Stub::UpdateShard, request);
  std::map<std::string, v1::ProxyOutcome> outcomes;
  for (const v1::ProxyResult& result : changed.proxies()) {
    outcomes[result.node_id()] = result.outcome();
  }
  EXPECT_EQ(outcomes, (std::map<std::string, v1::ProxyOutcome>{{"p0", v1::PROXY_ACKED},
                                                               {"p1", v1::PROXY_GONE}}));
  const std::vector<v1::Proxy> left = fleet_.Proxies();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].node().id(), "p0");
  EXPECT_THAT(fleet_.control().Page("/metrics"), HasSubstr("\nweir_control_streams 1\n"));

  fleet_.proxy(1).process().Signal(SIGCONT);
  EXPECT_TRUE(fleet_.InSync());
}

TEST_F(LiveReportsTest, TheLogSaysWhoChangedWhatByWhichPlanAndWhichProxyRefusedIt) {
  const v1::Plan plan = fleet_.AddShard({"c", shards_.address(2)});
  EXPECT_THAT(LogLine(" pool_changed ", plan.id()),
              AllOf(HasSubstr(" pool=alpha actor=anonymous origin=\"api 127.0.0.1:"),
                    HasSubstr("\" generation=2 "),
                    HasSubstr(StrCat(" plan=", plan.id(), " moved_fraction=0.")),
                    HasSubstr(StrCat(" changes=\"add shard c (", shards_.address(2)))));

  std::string refused;
  std::string reason;
  for (const v1::ProxyResult& result :
       fleet_.CreatePoolForOneProxy("beta", {"z", shards_.address(2)})) {
    if (result.outcome() != v1::PROXY_NACKED) continue;
    refused = result.node_id();
    reason = result.reason();
  }
  EXPECT_THAT(LogLine(" resource_nacked ", "name=beta"),
              AllOf(HasSubstr(StrCat(" node=", refused, " type=RESOURCE_POOL name=beta version=")),
                    HasSubstr(" field=policy.listen error="), HasSubstr("in use")));
  EXPECT_THAT(reason, HasSubstr("in use"));
}

}  // namespace
}  // namespace weir
