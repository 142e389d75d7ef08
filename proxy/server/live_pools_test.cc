#include "proxy/server/live_pools.h"

#include <optional>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PoolConfig Pool(std::string_view name, uint16_t port, std::string_view shard = "s") {
  PoolConfig pool;
  pool.name = name;
  pool.listen.endpoint = TcpEndpoint("127.0.0.1", port);
  pool.redis = true;
  pool.servers.push_back({.name = std::string(shard),
                          .endpoint = TcpEndpoint("127.0.0.1", 1),
                          .weight = 1,
                          .ring_name = std::string(shard)});
  return pool;
}

LivePools::Pools PoolsOf(std::initializer_list<PoolConfig> pools) {
  LivePools::Pools by_name;
  for (const PoolConfig& pool : pools) by_name[pool.name] = pool;
  return by_name;
}

class LivePoolsTest : public ::testing::Test {
 protected:
  // "alpha:1 beta:2".
  std::string Served() const {
    std::string text;
    if (in_force_ == nullptr) return text;
    for (const PoolSnapshotPtr& pool : in_force_->pools) {
      StrAppend(&text, text.empty() ? "" : " ", pool->config.name, ":",
                pool->config.listen.endpoint.port);
    }
    return text;
  }

  static std::vector<std::string> Lines(const std::vector<RefusedPool>& refused) {
    std::vector<std::string> lines;
    for (const RefusedPool& pool : refused) {
      lines.push_back(StrCat(pool.pool, ": ", pool.field, ": ", pool.what));
    }
    return lines;
  }

  std::set<uint16_t> occupied_;
  SnapshotPtr in_force_;
  size_t applied_ = 0;
  std::vector<ListenError> ErrorsOf(ListenerSet::Pools pools) const {
    std::vector<ListenError> errors;
    for (const PoolConfig* pool : pools) {
      if (occupied_.contains(pool->listen.endpoint.port)) {
        errors.push_back({pool->name, pool->place.text, "in use"});
      }
    }
    return errors;
  }
  std::vector<ListenError> Apply(const SnapshotPtr& snapshot) {
    std::vector<const PoolConfig*> pools;
    for (const PoolSnapshotPtr& pool : snapshot->pools) pools.push_back(&pool->config);
    std::vector<ListenError> errors = ErrorsOf(pools);
    if (errors.empty()) {
      in_force_ = snapshot;
      ++applied_;
    }
    return errors;
  }

  LivePools pools_{[this](const SnapshotPtr& snapshot) { return Apply(snapshot); },
                   [this](ListenerSet::Pools pools) { return ErrorsOf(pools); }};
};

TEST_F(LivePoolsTest, PoolsOfFileAndControlPlaneAreServedSideBySide) {
  ASSERT_TRUE(pools_.SetFile({{Pool("alpha", 1)}}).ok());
  EXPECT_THAT(pools_.ChangeControl(PoolsOf({Pool("beta", 2)}), {}), IsEmpty());
  EXPECT_EQ(Served(), "beta:2 alpha:1");
  ASSERT_TRUE(pools_.SetFile({{Pool("gamma", 3)}}).ok());
  EXPECT_EQ(Served(), "beta:2 gamma:3");
  EXPECT_THAT(pools_.ChangeControl({}, {"beta"}), IsEmpty());
  EXPECT_EQ(Served(), "gamma:3");
}

TEST_F(LivePoolsTest, APoolWhoseAddressCannotBeHadStaysAsItWasAndTheOthersChange) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1), Pool("beta", 2)}), {});
  occupied_ = {9};
  EXPECT_THAT(
      Lines(pools_.ChangeControl(PoolsOf({Pool("alpha", 9), Pool("beta", 3), Pool("new", 4)}), {})),
      ElementsAre("alpha: policy.listen: in use"));
  EXPECT_EQ(Served(), "new:4 beta:3 alpha:1");
}

TEST_F(LivePoolsTest, ANewPoolWhoseAddressCannotBeHadIsNotServed) {
  ASSERT_TRUE(pools_.SetFile({}).ok());
  occupied_ = {9};
  EXPECT_THAT(Lines(pools_.ChangeControl(PoolsOf({Pool("alpha", 9)}), {})),
              ElementsAre("alpha: policy.listen: in use"));
  EXPECT_EQ(Served(), "");
  EXPECT_EQ(applied_, 1u);
}

TEST_F(LivePoolsTest, WhoWantsTheAddressOfAPoolThatGoesBackIsRefusedToo) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1)}), {});
  occupied_ = {9};
  EXPECT_THAT(Lines(pools_.ChangeControl(PoolsOf({Pool("alpha", 9), Pool("beta", 1)}), {})),
              ElementsAre("alpha: policy.listen: in use",
                          "beta: policy.listen: found '127.0.0.1:1', which pool 'alpha' has, "
                          "expected an address of its own"));
  EXPECT_EQ(Served(), "alpha:1");
}

TEST_F(LivePoolsTest, TwoPoolsMaySwapAddresses) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1), Pool("beta", 2)}), {});
  EXPECT_THAT(pools_.ChangeControl(PoolsOf({Pool("alpha", 2), Pool("beta", 1)}), {}), IsEmpty());
  EXPECT_EQ(Served(), "beta:1 alpha:2");
}

TEST_F(LivePoolsTest, APoolTakesTheAddressOfOneThatGoes) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1)}), {});
  EXPECT_THAT(pools_.ChangeControl(PoolsOf({Pool("beta", 1)}), {"alpha"}), IsEmpty());
  EXPECT_EQ(Served(), "beta:1");
}

TEST_F(LivePoolsTest, ANameInTheFileIsRefusedToTheControlPlane) {
  ASSERT_TRUE(pools_.SetFile({{Pool("alpha", 1)}}).ok());
  EXPECT_THAT(Lines(pools_.ChangeControl(PoolsOf({Pool("alpha", 2), Pool("beta", 3)}), {})),
              ElementsAre("alpha: : found a name that a pool of the proxy's own configuration file "
                          "has, expected another"));
  EXPECT_EQ(Served(), "beta:3 alpha:1");
}

TEST_F(LivePoolsTest, ANameOrAddressOfTheControlPlaneIsRefusedToTheFile) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1)}), {});
  const absl::Status status = pools_.SetFile({{Pool("alpha", 2), Pool("beta", 1)}});
  EXPECT_THAT(
      std::string(FromAbsl(status.message())),
      AllOf(HasSubstr("pool 'alpha': found a name that a pool of the control plane has"),
            HasSubstr("pool 'beta', key 'listen': found '127.0.0.1:1', which pool 'alpha'")));
  EXPECT_EQ(Served(), "alpha:1");
}

TEST_F(LivePoolsTest, ARefusedPoolFitsWhenTheOneInItsWayHasGone) {
  ASSERT_TRUE(pools_.SetFile({{Pool("alpha", 1)}}).ok());
  pools_.ChangeControl(PoolsOf({Pool("beta", 2)}), {});
  EXPECT_FALSE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 3)})));
  EXPECT_FALSE(pools_.MayServeSomeOf(PoolsOf({Pool("gamma", 1), Pool("delta", 2)})));
  EXPECT_TRUE(pools_.MayServeSomeOf(PoolsOf({Pool("gamma", 1), Pool("delta", 3)})));
  ASSERT_TRUE(pools_.SetFile({{}}).ok());
  pools_.ChangeControl({}, {"beta"});
  EXPECT_TRUE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 3)})));
  EXPECT_TRUE(pools_.MayServeSomeOf(PoolsOf({Pool("gamma", 1)})));
  EXPECT_TRUE(pools_.MayServeSomeOf(PoolsOf({Pool("gamma", 2)})));
  EXPECT_FALSE(pools_.MayServeSomeOf({}));
}

TEST_F(LivePoolsTest, ARefusedPoolFitsWhenTheProcessInItsWayHasGone) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1)}), {});
  occupied_ = {8, 9};
  EXPECT_FALSE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 9)})));
  // It keeps 1, which the other one wants.
  EXPECT_FALSE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 9), Pool("beta", 1)})));
  occupied_ = {8};
  EXPECT_TRUE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 9), Pool("beta", 8)})));
  EXPECT_EQ(Served(), "alpha:1");
}

// Each was in the other's way until a new stream brought both.
TEST_F(LivePoolsTest, TwoRefusedPoolsThatSwapAddressesFitTogether) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1), Pool("beta", 2)}), {});
  EXPECT_FALSE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 2)})));
  EXPECT_FALSE(pools_.MayServeSomeOf(PoolsOf({Pool("beta", 1)})));
  EXPECT_TRUE(pools_.MayServeSomeOf(PoolsOf({Pool("alpha", 2), Pool("beta", 1)})));
}

TEST_F(LivePoolsTest, WhatChangesNothingIsNotApplied) {
  pools_.ChangeControl(PoolsOf({Pool("alpha", 1)}), {});
  EXPECT_THAT(pools_.ChangeControl(PoolsOf({Pool("alpha", 1)}), {"unknown"}), IsEmpty());
  EXPECT_EQ(applied_, 1u);
}

}  // namespace
}  // namespace weir
