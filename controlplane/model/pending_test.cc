#include "controlplane/model/pending.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "controlplane/model/change_test_support.h"
#include "controlplane/model/pool_changes.h"
#include "controlplane/model/shard_changes.h"
#include "controlplane/model/version_changes.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The pool "alpha" with the shards a and b, which have addresses.
class PendingTest : public testing::Test {
 protected:
  PendingTest() {
    pool_.context.has_address = [this](const std::string& endpoint) {
      return found_.contains(endpoint);
    };
  }

  // Of `shard`, at "host-SHARD:6379".
  void Finds(const std::string& shard) { found_.insert(StrCat("host-", shard, ":6379")); }
  Change FindsAndActivates(const std::string& shard) {
    Finds(shard);
    return pool_.Made(ActivateFound(pool_.record, pool_.context));
  }

  ChangeResult Add(const std::string& shard) {
    v1::AddShardRequest request;
    *request.mutable_options() = pool_.Fresh();
    *request.mutable_shard() = SpecWith(shard).servers(0);
    return AddShard(&pool_.record, request, pool_.context);
  }
  ChangeResult Remove(const std::string& shard) {
    v1::RemoveShardRequest request;
    *request.mutable_options() = pool_.Fresh();
    request.set_shard(shard);
    return RemoveShard(&pool_.record, request, pool_.context);
  }
  ChangeResult Weigh(const std::string& shard, uint32_t weight) {
    v1::UpdateShardRequest request;
    *request.mutable_options() = pool_.Fresh();
    request.set_shard(shard);
    request.set_weight(weight);
    return UpdateShard(&pool_.record, request, pool_.context);
  }
  ChangeResult Declare(const std::string& shards) {
    v1::PoolSpec spec = pool_.record.spec();
    *spec.mutable_servers() = SpecWith(shards).servers();
    return DeclarePool(&pool_.record, "alpha", spec, pool_.context);
  }

  // The slots in force, ? for those that wait.
  std::string States() const {
    std::string text;
    for (const v1::Slot& slot : pool_.record.shard_map().slots()) {
      StrAppend(&text, text.empty() ? "" : " ", slot.name());
      if (slot.state() == v1::SLOT_PENDING) text += "?";
      if (slot.state() == v1::SLOT_DRAINING) text += "!";
    }
    return text;
  }

  std::set<std::string> found_;
  ChangedPool pool_{"a b"};  // made while every endpoint had an address
};

TEST_F(PendingTest, AShardWhoseNameHasNoAddressIsOffTheRingUntilItHasOne) {
  const Change added = pool_.Made(Add("c"));
  EXPECT_EQ(States(), "a b c?");
  EXPECT_THAT(added.plan.changes(),
              ElementsAre("add shard c (host-c:6379, weight 1), off the ring until that has an "
                          "address"));
  EXPECT_EQ(added.plan.shards_before(), 2u);
  EXPECT_EQ(added.plan.shards_after(), 2u);

  const uint64_t generation = pool_.record.shard_map().generation();
  const Change activated = FindsAndActivates("c");
  EXPECT_EQ(States(), "a b c");
  EXPECT_EQ(activated.effect, ChangeEffect::kApplied);
  EXPECT_EQ(pool_.record.shard_map().generation(), generation + 1);
  ASSERT_TRUE(activated.version.has_value());
  EXPECT_EQ(activated.version->generation(), generation + 1);
  EXPECT_THAT(activated.plan.changes(), ElementsAre("shard c: pending -> active"));
  EXPECT_EQ(activated.plan.shards_after(), 3u);
}

TEST_F(PendingTest, ThePlanOfAShardThatWaitsSaysWhatItWillMove) {
  const Change added = pool_.Made(Add("c"));
  const Change activated = FindsAndActivates("c");
  EXPECT_GT(activated.plan.moved_fraction(), 0.1);
  EXPECT_DOUBLE_EQ(added.plan.moved_fraction(), activated.plan.moved_fraction());
}

TEST_F(PendingTest, AShardThatWaitsCannotSlipPastTheGuard) {
  pool_.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.01);
  const Change added = pool_.Made(Add("c"));
  EXPECT_TRUE(added.held);
  EXPECT_EQ(States(), "a b");
  v1::ApprovePlanRequest request;
  request.set_plan_id(added.plan.id());
  pool_.Made(ApprovePlan(&pool_.record, request, pool_.context));
  EXPECT_EQ(States(), "a b c?");
  // It has been approved.
  EXPECT_FALSE(FindsAndActivates("c").held);
  EXPECT_EQ(States(), "a b c");
}

TEST_F(PendingTest, RemovingAShardThatWaitsMovesNoKeyAndIsNotHeld) {
  pool_.Made(Declare("a b c*9"));
  pool_.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  const Change removed = pool_.Made(Remove("c"));
  EXPECT_EQ(States(), "a b");
  EXPECT_FALSE(removed.held);
  EXPECT_EQ(removed.plan.moved_fraction(), 0);
  EXPECT_THAT(removed.plan.moves(), IsEmpty());
}

TEST_F(PendingTest, AShardThatWaitsIsMadeLighterWithoutMovingAKey) {
  pool_.Made(Declare("a b c*9"));
  pool_.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  const Change lighter = pool_.Made(Weigh("c", 1));
  EXPECT_EQ(States(), "a b c?");
  EXPECT_FALSE(lighter.held);
  EXPECT_EQ(lighter.plan.moved_fraction(), 0);
}

TEST_F(PendingTest, AShardThatWaitsCannotSlipPastTheGuardByItsWeight) {
  pool_.Made(Add("c"));
  pool_.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.3);
  const Change heavier = pool_.Made(Weigh("c", 9));
  EXPECT_TRUE(heavier.held);
  EXPECT_GT(heavier.plan.moved_fraction(), 0.3);
}

TEST_F(PendingTest, WhatElseAChangeMovesIsCountedBesideAShardThatWaits) {
  pool_.Made(Add("c"));
  const Change removed = pool_.Made(Remove("b"));
  EXPECT_THAT(removed.plan.moves(), Contains(testing::Property(&v1::Move::from_shard, "b")));
  EXPECT_GT(removed.plan.moved_fraction(), 0.1);
}

TEST_F(PendingTest, AnAddressIsFoundOnce) {
  pool_.Made(Add("c"));
  FindsAndActivates("c");
  const Change again = pool_.Made(ActivateFound(pool_.record, pool_.context));
  EXPECT_EQ(again.effect, ChangeEffect::kNothing);
  EXPECT_FALSE(again.write);
}

TEST_F(PendingTest, AShardThatWasOnTheRingStaysThereWhateverBecomesOfItsName) {
  v1::UpdateShardRequest request;
  *request.mutable_options() = pool_.Fresh();
  request.set_shard("a");
  request.set_endpoint("elsewhere:6379");
  pool_.Made(UpdateShard(&pool_.record, request, pool_.context));
  EXPECT_EQ(States(), "a b");
}

TEST_F(PendingTest, AShardThatWaitsIsOnTheRingWhenItIsGivenAnEndpointWithAnAddress) {
  pool_.Made(Add("c"));
  Finds("d");
  v1::UpdateShardRequest request;
  *request.mutable_options() = pool_.Fresh();
  request.set_shard("c");
  request.set_endpoint("host-d:6379");
  pool_.Made(UpdateShard(&pool_.record, request, pool_.context));
  EXPECT_EQ(States(), "a b c");
}

TEST_F(PendingTest, ADeclaredShardWaitsToo) {
  pool_.Made(Declare("a b c"));
  EXPECT_EQ(States(), "a b c?");
  FindsAndActivates("c");
  EXPECT_EQ(States(), "a b c");
  EXPECT_THAT(Drift(pool_.record.spec().servers(), pool_.record.shard_map().slots()), IsEmpty());
}

TEST_F(PendingTest, AShardThatWaitsReplacesNobodyOnTheRing) {
  const ChangeResult result = Declare("c");
  EXPECT_EQ(CodeOf(result), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.error().message, HasSubstr("shard c waits for an address of host-c:6379"));
}

TEST_F(PendingTest, AHeldChangeIsHeldOnWhenAnAddressIsFound) {
  pool_.Made(Add("c"));
  pool_.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.01);
  Finds("d");
  const Change held = pool_.Made(Declare("b d"));
  ASSERT_TRUE(held.held);
  FindsAndActivates("c");
  EXPECT_EQ(States(), "a b c");
  ASSERT_TRUE(pool_.record.has_held());
  EXPECT_EQ(pool_.record.held().plan().held_because(0), held.plan.held_because(0));
  v1::ApprovePlanRequest request;
  request.set_plan_id(pool_.record.held().plan().id());
  pool_.Made(ApprovePlan(&pool_.record, request, pool_.context));
  EXPECT_EQ(States(), "b c d");
}

TEST_F(PendingTest, ARollbackTakesNoShardBackIntoWaiting) {
  const Change added = pool_.Made(Add("c"));
  FindsAndActivates("c");
  found_.clear();
  v1::RollbackRequest request;
  *request.mutable_options() = pool_.Fresh();
  request.set_generation(added.version->generation());
  pool_.Made(Rollback(&pool_.record, request, &*added.version, pool_.context));
  EXPECT_EQ(States(), "a b c");
}

TEST_F(PendingTest, AShardThatWaitsCanBeRemovedAndNotDrained) {
  pool_.Made(Add("c"));
  v1::DrainShardRequest drain;
  *drain.mutable_options() = pool_.Fresh();
  drain.set_shard("c");
  EXPECT_EQ(CodeOf(DrainShard(&pool_.record, drain, pool_.context)),
            absl::StatusCode::kFailedPrecondition);
  pool_.Made(Remove("c"));
  EXPECT_EQ(States(), "a b");
}

TEST_F(PendingTest, ANewPoolMayWaitForAllOfItsShards) {
  v1::CreatePoolRequest request;
  request.set_name("beta");
  *request.mutable_spec() = SpecWith("c d");
  const ChangeResult result = CreatePool(nullptr, request, pool_.context);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.change().effect, ChangeEffect::kApplied);
  EXPECT_EQ(result.change().plan.shards_after(), 0u);
  EXPECT_THAT(result.change().plan.changes(), Contains(HasSubstr("off the ring")));
}

}  // namespace
}  // namespace weir
