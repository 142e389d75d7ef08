#include "controlplane/model/shard_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/model/change_test_support.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_limits.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::AddShardRequest Add(const ChangedPool& pool, const std::string& name,
                        const std::string& endpoint) {
  v1::AddShardRequest request;
  request.set_pool("alpha");
  request.mutable_shard()->set_name(name);
  request.mutable_shard()->set_endpoint(endpoint);
  *request.mutable_options() = pool.Fresh();
  return request;
}

v1::RemoveShardRequest Remove(const ChangedPool& pool, const std::string& name) {
  v1::RemoveShardRequest request;
  request.set_pool("alpha");
  request.set_shard(name);
  *request.mutable_options() = pool.Fresh();
  return request;
}

v1::UpdateShardRequest Weigh(const ChangedPool& pool, const std::string& name, uint32_t weight) {
  v1::UpdateShardRequest request;
  request.set_pool("alpha");
  request.set_shard(name);
  request.set_weight(weight);
  *request.mutable_options() = pool.Fresh();
  return request;
}

v1::DrainShardRequest Drain(const ChangedPool& pool, const std::string& name, bool undo = false) {
  v1::DrainShardRequest request;
  request.set_pool("alpha");
  request.set_shard(name);
  request.set_undo(undo);
  *request.mutable_options() = pool.Fresh();
  return request;
}

TEST(AddShardTest, PutsTheShardOnTheRingAndLeavesTheDeclaration) {
  ChangedPool pool("a c");
  Change change = pool.Made(AddShard(&pool.record, Add(pool, "b", "h:1"), pool.context));
  EXPECT_EQ(pool.InForce(), "a b c");
  EXPECT_EQ(pool.record.shard_map().slots(1).source(), v1::SLOT_FROM_API);
  EXPECT_EQ(pool.record.shard_map().slots(1).weight(), 1u);
  EXPECT_EQ(pool.record.spec().servers_size(), 2);
  EXPECT_EQ(pool.record.shard_map().generation(), 2u);
  EXPECT_EQ(pool.record.declared_generation(), 1u);
  EXPECT_THAT(change.plan.changes(), ElementsAre("add shard b (h:1, weight 1)"));
  EXPECT_EQ(change.plan.method(), v1::PLAN_EXACT);
  EXPECT_NEAR(change.plan.moved_fraction(), 1.0 / 3, 0.1);
  for (const v1::Move& move : change.plan.moves()) EXPECT_EQ(move.to_shard(), "b");
}

TEST(AddShardTest, ANameThatIsTakenIsRefused) {
  ChangedPool pool("a b");
  EXPECT_EQ(CodeOf(AddShard(&pool.record, Add(pool, "a", "h:1"), pool.context)),
            absl::StatusCode::kAlreadyExists);
  pool.Made(DrainShard(&pool.record, Drain(pool, "a"), pool.context));
  ChangeResult result = AddShard(&pool.record, Add(pool, "a", "h:1"), pool.context);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message, HasSubstr("draining, which can be undone"));
}

TEST(AddShardTest, AShardBeyondTheLargestPoolIsRefusedBeforeItIsPlanned) {
  ChangedPool pool("a");
  for (int i = 1; i < kMaxServers; ++i) {
    v1::Slot& slot = *pool.record.mutable_shard_map()->add_slots();
    slot = pool.record.shard_map().slots(0);
    slot.set_name(StrCat("s", i));
  }
  const ChangeResult result = AddShard(&pool.record, Add(pool, "z", "h:1"), pool.context);
  EXPECT_EQ(CodeOf(result), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.error().message, HasSubstr("would have 10001 shards"));
}

TEST(AddShardTest, AnEndpointIsKeptInOneSpellingSoThatNoEditSeesADifference) {
  ChangedPool pool("a");
  pool.Made(AddShard(&pool.record, Add(pool, "b", "10.0.0.1:06379"), pool.context));
  EXPECT_EQ(pool.record.shard_map().slots(1).endpoint(), "10.0.0.1:6379");
  v1::UpdateShardRequest request = Weigh(pool, "b", 1);
  request.set_endpoint("::1:6380");
  pool.Made(UpdateShard(&pool.record, request, pool.context));
  EXPECT_EQ(pool.record.shard_map().slots(1).endpoint(), "[::1]:6380");
}

TEST(AddShardTest, ViolationsNameTheShardOfTheRequest) {
  ChangedPool pool("b c");
  EXPECT_EQ(BadFields(AddShard(&pool.record, Add(pool, "a", "h:0"), pool.context)),
            "shard.endpoint");
}

TEST(AddShardTest, ARequestMadeTwiceAddsOneShard) {
  ChangedPool pool("a b");
  v1::AddShardRequest request = Add(pool, "c", "h:1");
  request.mutable_options()->set_request_id(kRequestId);
  pool.Made(AddShard(&pool.record, request, pool.context));
  Change again = pool.Made(AddShard(&pool.record, request, pool.context));
  EXPECT_EQ(again.effect, ChangeEffect::kReplayed);
  EXPECT_EQ(pool.InForce(), "a b c");
}

TEST(RemoveShardTest, ForgetsTheShard) {
  ChangedPool pool("a b c");
  Change change = pool.Made(RemoveShard(&pool.record, Remove(pool, "b"), pool.context));
  EXPECT_EQ(pool.InForce(), "a c");
  EXPECT_THAT(change.plan.changes(), ElementsAre("remove shard b"));
  EXPECT_EQ(CodeOf(RemoveShard(&pool.record, Remove(pool, "b"), pool.context)),
            absl::StatusCode::kNotFound);
}

TEST(RemoveShardTest, ARingThatNoProxyWouldServeIsRefusedInsteadOfHeld) {
  ChangedPool pool("a b");
  pool.Made(DrainShard(&pool.record, Drain(pool, "b"), pool.context));
  const ChangeResult removed = RemoveShard(&pool.record, Remove(pool, "a"), pool.context);
  EXPECT_EQ(CodeOf(removed), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(removed.error().message, HasSubstr("would have no shard on the ring"));
  EXPECT_EQ(CodeOf(DrainShard(&pool.record, Drain(pool, "a"), pool.context)),
            absl::StatusCode::kFailedPrecondition);
  pool.Made(RemoveShard(&pool.record, Remove(pool, "b"), pool.context));  // it is off the ring
  EXPECT_EQ(pool.InForce(), "a");
}

TEST(RemoveShardTest, FewerShardsThanTheGuardAsksForAreHeld) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_min_shards(2);
  EXPECT_TRUE(pool.Made(RemoveShard(&pool.record, Remove(pool, "b"), pool.context)).held);
  EXPECT_EQ(pool.InForce(), "a b");
}

TEST(RemoveShardTest, ADrainedShardGoesWithoutMovingAKey) {
  ChangedPool pool("a b c");
  pool.Made(DrainShard(&pool.record, Drain(pool, "b"), pool.context));
  Change change = pool.Made(RemoveShard(&pool.record, Remove(pool, "b"), pool.context));
  EXPECT_EQ(change.plan.moved_fraction(), 0);
  EXPECT_EQ(pool.InForce(), "a c");
}

TEST(UpdateShardTest, ChangesWeightAndEndpoint) {
  ChangedPool pool("a b");
  v1::UpdateShardRequest request = Weigh(pool, "a", 3);
  request.set_endpoint("new:1");
  Change change = pool.Made(UpdateShard(&pool.record, request, pool.context));
  EXPECT_EQ(pool.InForce(), "a*3 b");
  EXPECT_EQ(pool.record.shard_map().slots(0).endpoint(), "new:1");
  EXPECT_THAT(change.plan.changes(),
              ElementsAre("shard a: weight 1 -> 3", "shard a: endpoint host-a:6379 -> new:1"));
}

TEST(UpdateShardTest, AnotherEndpointMovesNoKey) {
  ChangedPool pool("a b");
  v1::UpdateShardRequest request;
  request.set_pool("alpha");
  request.set_shard("a");
  request.set_endpoint("new:1");
  *request.mutable_options() = pool.Fresh();
  Change change = pool.Made(UpdateShard(&pool.record, request, pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kApplied);
  EXPECT_EQ(change.plan.moves_size(), 0);
}

TEST(UpdateShardTest, WhatCannotBeIsRefused) {
  ChangedPool pool("a b");
  EXPECT_EQ(BadFields(UpdateShard(&pool.record, Weigh(pool, "a", 0), pool.context)), "weight");
  v1::UpdateShardRequest nothing = Weigh(pool, "a", 1);
  nothing.clear_weight();
  EXPECT_EQ(BadFields(UpdateShard(&pool.record, nothing, pool.context)), "weight");
  nothing.set_endpoint("h:0");
  EXPECT_EQ(BadFields(UpdateShard(&pool.record, nothing, pool.context)), "endpoint");
  EXPECT_EQ(CodeOf(UpdateShard(&pool.record, Weigh(pool, "x", 2), pool.context)),
            absl::StatusCode::kNotFound);
}

TEST(DrainShardTest, LeavesTheRingAndComesBack) {
  ChangedPool pool("a b c");
  Change out = pool.Made(DrainShard(&pool.record, Drain(pool, "b"), pool.context));
  EXPECT_EQ(pool.InForce(), "a b! c");
  EXPECT_EQ(out.plan.shards_after(), 2u);
  EXPECT_THAT(out.plan.changes(), ElementsAre("shard b: active -> draining"));
  Change back = pool.Made(DrainShard(&pool.record, Drain(pool, "b", /*undo=*/true), pool.context));
  EXPECT_EQ(pool.InForce(), "a b c");
  EXPECT_DOUBLE_EQ(back.plan.moved_fraction(), out.plan.moved_fraction());
  EXPECT_EQ(pool.record.shard_map().generation(), 3u);
}

TEST(DrainShardTest, DrainingWhatIsDrainedIsNoChange) {
  ChangedPool pool("a b");
  pool.Made(DrainShard(&pool.record, Drain(pool, "b"), pool.context));
  Change again = pool.Made(DrainShard(&pool.record, Drain(pool, "b"), pool.context));
  EXPECT_EQ(again.effect, ChangeEffect::kNothing);
  EXPECT_EQ(pool.record.shard_map().generation(), 2u);
}

TEST(DrainShardTest, ASlotThatIsPendingCannotBeDrained) {
  ChangedPool pool("a b");
  pool.record.mutable_shard_map()->mutable_slots(1)->set_state(v1::SLOT_PENDING);
  EXPECT_EQ(CodeOf(DrainShard(&pool.record, Drain(pool, "b"), pool.context)),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace weir
