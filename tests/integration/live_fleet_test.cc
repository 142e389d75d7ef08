// What a fleet makes of changes: real weir-control and proxies, fake shards that say who they are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/integration/live_fleet.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp.h"

namespace weir {
namespace {

using testing::HasSubstr;

constexpr size_t kProxies = 3;
constexpr size_t kKeys = 100'000;
constexpr size_t kKeysAtOnce = 1000;
// Between the plan and what is counted, as shares of all keys.
constexpr double kTolerance = 0.005;

const std::vector<std::string>& Keys() {
  static const auto* const keys = [] {
    auto* made = new std::vector<std::string>;
    std::mt19937_64 random(1);
    for (size_t i = 0; i < kKeys; ++i) made->push_back(StrCat("user:", random()));
    return made;
  }();
  return *keys;
}

// "0", "1", ...: the shards that answer for the keys from `begin` to `end`.
std::vector<std::string> Owners(RespClient client, size_t begin = 0, size_t end = kKeys) {
  std::vector<std::string> owners;
  for (size_t at = begin; at < end; at += kKeysAtOnce) {
    std::string requests;
    const size_t count = std::min(kKeysAtOnce, end - at);
    for (size_t i = at; i < at + count; ++i) requests += EncodeRequest({"GET", Keys()[i]});
    for (const Reply& reply : client.Ask(requests, count)) {
      owners.push_back(reply.type == '$' ? reply.text : "?");
    }
  }
  owners.resize(end - begin, "?");
  return owners;
}

class LiveFleetTest : public ::testing::Test {
 protected:
  // The shard a is the fake shard 0, and so on.
  NamedShard Shard(size_t index) const {
    return {std::string(1, static_cast<char>('a' + index)), shards_.address(index)};
  }

  // The keys' owners after the change. Expects that the share of keys that moved from one shard to
  // another is what the plan says, and that all proxies agree.
  std::vector<std::string> ExpectMovesOf(const v1::Plan& plan,
                                         const std::vector<std::string>& before) {
    std::vector<std::string> after = Owners(fleet_.ClientOf(0));
    std::map<std::pair<std::string, std::string>, double> difference;
    for (size_t i = 0; i < kKeys; ++i) {
      if (before[i] != after[i]) difference[{before[i], after[i]}] += 1.0 / kKeys;
    }
    for (const v1::Move& move : plan.moves()) {
      const std::string from = StrCat(move.from_shard()[0] - 'a');
      const std::string to = StrCat(move.to_shard()[0] - 'a');
      difference[{from, to}] -= move.fraction();
    }
    double sum = 0;
    for (const auto& [pair, share] : difference) {
      EXPECT_LT(std::abs(share), kTolerance) << pair.first << " to " << pair.second;
      sum += share;
    }
    EXPECT_LT(std::abs(sum), kTolerance);
    EXPECT_GT(plan.moved_fraction(), 0.05);
    for (size_t proxy = 1; proxy < kProxies; ++proxy) {
      const std::vector<std::string> others = Owners(fleet_.ClientOf(proxy), 0, kKeysAtOnce);
      EXPECT_TRUE(std::ranges::equal(others, std::span(after).first(kKeysAtOnce))) << proxy;
    }
    return after;
  }

  FakeShards shards_{3};
  LiveFleet fleet_{kProxies, {Shard(0), Shard(1)}};
};

TEST_F(LiveFleetTest, TheShareOfKeysThatMovesIsThePlans) {
  std::vector<std::string> owners = Owners(fleet_.ClientOf(0));
  EXPECT_EQ(std::set(owners.begin(), owners.end()), (std::set<std::string>{"0", "1"}));
  owners = ExpectMovesOf(fleet_.AddShard(Shard(2)), owners);
  owners = ExpectMovesOf(fleet_.SetWeight("c", 3), owners);
  const std::vector<std::string> before_drain = owners;
  owners = ExpectMovesOf(fleet_.DrainShard("b"), owners);
  owners = ExpectMovesOf(fleet_.DrainShard("b", /*undo=*/true), owners);
  EXPECT_EQ(owners, before_drain);
  ExpectMovesOf(fleet_.RemoveShard("c"), owners);
}

TEST_F(LiveFleetTest, AProxyThatCannotListenRefusesThePoolAndServesOn) {
  std::set<std::string> refused;
  for (const v1::ProxyResult& result : fleet_.CreatePoolForOneProxy("beta", Shard(2))) {
    if (result.outcome() == v1::PROXY_ACKED) continue;
    EXPECT_EQ(result.outcome(), v1::PROXY_NACKED);
    EXPECT_THAT(result.reason(), HasSubstr("policy.listen"));
    refused.insert(result.node_id());
  }
  EXPECT_EQ(refused.size(), kProxies - 1);

  std::set<std::string> out_of_sync;
  for (const v1::Proxy& proxy : fleet_.Proxies()) {
    if (proxy.in_sync()) continue;
    out_of_sync.insert(proxy.node().id());
    ASSERT_EQ(proxy.errors_size(), 1);
    EXPECT_EQ(proxy.errors(0).key().name(), "beta");
    EXPECT_EQ(proxy.errors(0).field(), "policy.listen");
  }
  EXPECT_EQ(out_of_sync, refused);

  // What else there is goes on.
  fleet_.AddShard(Shard(2));
  for (size_t proxy = 0; proxy < kProxies; ++proxy) {
    const std::vector<std::string> owners = Owners(fleet_.ClientOf(proxy), 0, kKeysAtOnce);
    EXPECT_EQ(std::set(owners.begin(), owners.end()), (std::set<std::string>{"0", "1", "2"}));
  }
}

TEST_F(LiveFleetTest, ProxiesStartWithoutTheControlPlaneAsTheyWere) {
  fleet_.AddShard(Shard(2));
  const std::vector<std::string> before = Owners(fleet_.ClientOf(0), 0, kKeysAtOnce);
  fleet_.control().Kill();
  fleet_.RestartProxies();
  for (size_t proxy = 0; proxy < kProxies; ++proxy) {
    EXPECT_THAT(fleet_.proxy(proxy).Log(), HasSubstr("state_restored age_s="));
    EXPECT_EQ(Owners(fleet_.ClientOf(proxy), 0, kKeysAtOnce), before);
  }
  RespClient session = fleet_.ClientOf(0);
  fleet_.control().Start();
  EXPECT_TRUE(fleet_.InSync());
  fleet_.RemoveShard("c");
  // The session from before the control plane was back has seen it all.
  const std::vector<std::string> after = Owners(std::move(session), 0, kKeysAtOnce);
  EXPECT_EQ(std::set(after.begin(), after.end()), (std::set<std::string>{"0", "1"}));
}

}  // namespace
}  // namespace weir
