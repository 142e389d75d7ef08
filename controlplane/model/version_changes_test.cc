#include "controlplane/model/version_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/model/change_test_support.h"
#include "controlplane/model/resources.h"
#include "controlplane/model/shard_changes.h"
#include "proto/resource_order.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A pool of a and b that holds the addition of c, which bob asked for.
ChangedPool HoldingPool() {
  ChangedPool pool("a b");
  pool.context.actor = "bob";
  v1::AddShardRequest request;
  request.set_pool("alpha");
  request.mutable_shard()->set_name("c");
  request.mutable_shard()->set_endpoint("h:1");
  *request.mutable_options() = pool.Fresh();
  request.mutable_options()->set_max_moved_fraction(0);
  EXPECT_TRUE(pool.Made(AddShard(&pool.record, request, pool.context)).held);
  pool.context.actor = "alice";
  return pool;
}

v1::ApprovePlanRequest Approve(const std::string& plan_id) {
  v1::ApprovePlanRequest request;
  request.set_pool("alpha");
  request.set_plan_id(plan_id);
  return request;
}

v1::RollbackRequest RollbackTo(const ChangedPool& pool, uint64_t generation) {
  v1::RollbackRequest request;
  request.set_pool("alpha");
  request.set_generation(generation);
  *request.mutable_options() = pool.Fresh();
  return request;
}

void SetShard(ChangedPool& pool, const std::string& name, uint32_t weight,
              const std::string& endpoint) {
  v1::UpdateShardRequest request;
  request.set_pool("alpha");
  request.set_shard(name);
  request.set_weight(weight);
  request.set_endpoint(endpoint);
  *request.mutable_options() = pool.Fresh();
  pool.Made(UpdateShard(&pool.record, request, pool.context));
}

v1::Version VersionOf(const v1::PoolRecord& record) {
  v1::Version version;
  version.set_generation(record.shard_map().generation());
  *version.mutable_spec() = record.spec();
  *version.mutable_shard_map() = record.shard_map();
  return version;
}

TEST(ApprovePlanTest, ReleasesWhatIsHeld) {
  ChangedPool pool = HoldingPool();
  Change change =
      pool.Made(ApprovePlan(&pool.record, Approve(pool.record.held().plan().id()), pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kApplied);
  EXPECT_EQ(pool.InForce(), "a b c");
  EXPECT_EQ(pool.record.shard_map().generation(), 2u);
  EXPECT_FALSE(pool.record.has_held());
  EXPECT_FALSE(pool.record.has_held_content());
  ASSERT_TRUE(change.version.has_value());
  EXPECT_EQ(change.version->actor(), "alice");
  EXPECT_THAT(change.version->origin(), HasSubstr("approving what bob asked for"));
}

TEST(ApprovePlanTest, APlanThatMovesMoreThanTheApprovalAllowsIsRefused) {
  ChangedPool pool = HoldingPool();
  v1::ApprovePlanRequest request = Approve(pool.record.held().plan().id());
  request.mutable_options()->set_max_moved_fraction(0.1);
  const ChangeResult result = ApprovePlan(&pool.record, request, pool.context);
  EXPECT_EQ(CodeOf(result), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.error().message, HasSubstr("the request allows 0.1"));
  request.mutable_options()->set_max_moved_fraction(0.9);
  EXPECT_EQ(pool.Made(ApprovePlan(&pool.record, request, pool.context)).effect,
            ChangeEffect::kApplied);
}

TEST(ApprovePlanTest, AnotherPlanIsRefused) {
  ChangedPool pool = HoldingPool();
  ChangeResult result = ApprovePlan(&pool.record, Approve("0123456789abcdef"), pool.context);
  EXPECT_EQ(CodeOf(result), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.error().message, HasSubstr(pool.record.held().plan().id()));
}

TEST(ApprovePlanTest, APlanWhoseBaseHasMovedOnIsRefused) {
  ChangedPool pool = HoldingPool();
  const std::string plan_id = pool.record.held().plan().id();
  v1::PoolRecord moved_on = pool.record;
  moved_on.mutable_shard_map()->set_generation(2);
  ChangeResult result = ApprovePlan(&moved_on, Approve(plan_id), pool.context);
  EXPECT_EQ(CodeOf(result), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(result.error().message, HasSubstr("make the change again"));

  SetShard(pool, "a", 2, "h:9");  // drops it
  EXPECT_EQ(CodeOf(ApprovePlan(&pool.record, Approve(plan_id), pool.context)),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ApprovePlanTest, ARetryWithItsIdIsAnsweredAgain) {
  ChangedPool pool = HoldingPool();
  v1::ApprovePlanRequest request = Approve(pool.record.held().plan().id());
  request.mutable_options()->set_request_id(kRequestId);
  pool.Made(ApprovePlan(&pool.record, request, pool.context));
  EXPECT_EQ(pool.Made(ApprovePlan(&pool.record, request, pool.context)).effect,
            ChangeEffect::kReplayed);
}

TEST(RollbackTest, WritesOldContentAsANewVersion) {
  ChangedPool pool("a b");
  const v1::Version first = VersionOf(pool.record);
  SetShard(pool, "a", 4, "host-a:6379");
  Change change = pool.Made(Rollback(&pool.record, RollbackTo(pool, 1), &first, pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kApplied);
  EXPECT_EQ(pool.InForce(), "a b");
  EXPECT_EQ(pool.record.shard_map().generation(), 3u);
  EXPECT_EQ(change.version->origin(), "api 127.0.0.1, rollback to 1");
}

TEST(RollbackTest, AVersionThatCannotBeReadIsRefusedWithItsError) {
  ChangedPool pool("a b");
  v1::Version damaged;
  damaged.set_generation(1);
  damaged.set_error("/h/alpha/1.json: no such file");
  const auto result = Rollback(&pool.record, RollbackTo(pool, 1), &damaged, pool.context);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, absl::StatusCode::kDataLoss);
  EXPECT_EQ(result.error().message,
            "generation 1 of pool 'alpha' cannot be read: /h/alpha/1.json: no such file");
}

TEST(RollbackTest, EndpointsStayAsTheyAre) {
  ChangedPool pool("a b");
  const v1::Version first = VersionOf(pool.record);
  SetShard(pool, "a", 4, "moved:1");
  pool.record.mutable_spec()->mutable_servers(1)->set_endpoint("declared:2");
  pool.Made(Rollback(&pool.record, RollbackTo(pool, 1), &first, pool.context));
  EXPECT_EQ(pool.InForce(), "a b");
  EXPECT_EQ(pool.record.shard_map().slots(0).endpoint(), "moved:1");
  EXPECT_EQ(pool.record.shard_map().slots(1).endpoint(), "host-b:6379");
  EXPECT_EQ(pool.record.spec().servers(1).endpoint(), "declared:2");
}

TEST(RollbackTest, AShardThatWasRemovedReturnsWithItsOldEndpoint) {
  ChangedPool pool("a b");
  const v1::Version first = VersionOf(pool.record);
  v1::UpdatePoolRequest request;
  request.set_name("alpha");
  *request.mutable_spec() = SpecWith("a");
  request.mutable_update_mask()->add_paths("servers");
  *request.mutable_options() = pool.Fresh();
  pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_EQ(pool.InForce(), "a");
  pool.Made(Rollback(&pool.record, RollbackTo(pool, 1), &first, pool.context));
  EXPECT_EQ(pool.InForce(), "a b");
  EXPECT_EQ(pool.record.shard_map().slots(1).endpoint(), "host-b:6379");
  EXPECT_EQ(pool.record.spec().servers_size(), 2);
  EXPECT_EQ(pool.record.declared_generation(), 3u);
}

TEST(RollbackTest, IsUnderTheGuard) {
  ChangedPool pool("a b");
  const v1::Version first = VersionOf(pool.record);
  SetShard(pool, "a", 9, "host-a:6379");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.01);
  Change change = pool.Made(Rollback(&pool.record, RollbackTo(pool, 1), &first, pool.context));
  EXPECT_TRUE(change.held);
  EXPECT_EQ(pool.record.held().origin(), "api 127.0.0.1, rollback to 1");
}

TEST(RollbackTest, AVersionThatIsNotKeptIsNotFound) {
  ChangedPool pool("a b");
  EXPECT_EQ(CodeOf(Rollback(&pool.record, RollbackTo(pool, 7), nullptr, pool.context)),
            absl::StatusCode::kNotFound);
}

// As proxies judge it.
TEST(BeginNewHistoryTest, ProxiesWithALaterGenerationTakeWhatWasRestored) {
  ChangedPool pool("a b");
  v1::Resource theirs = ResourcesOf(pool.record, {}).pool;
  theirs.set_generation(43);
  EXPECT_TRUE(IsOlder(ResourcesOf(pool.record, {}).pool, theirs));

  for (const char* uid : {"uid-2", "uid-3"}) {  // also when it is done twice, at the same moment
    pool.context.new_uid = uid;
    const v1::PoolRecord before = pool.record;
    const Change change = pool.Made(BeginNewHistory(pool.record, pool.context));
    EXPECT_EQ(change.effect, ChangeEffect::kApplied);
    EXPECT_EQ(pool.record.uid(), uid);
    EXPECT_EQ(pool.record.shard_map().generation(), before.shard_map().generation() + 1);
    EXPECT_EQ(pool.record.declared_generation(), before.declared_generation());
    EXPECT_EQ(pool.InForce(), "a b");
    ASSERT_TRUE(change.version.has_value());
    EXPECT_THAT(change.version->plan().changes(),
                ElementsAre("begin a new history: proxies take it whatever they hold"));
    const v1::Resource ours = ResourcesOf(pool.record, {}).pool;
    EXPECT_TRUE(IsOlder(theirs, ours));
    EXPECT_FALSE(IsOlder(ours, theirs));
    theirs = ours;
    theirs.set_generation(99);
  }
}

TEST(BeginNewHistoryTest, WhatIsHeldGoesOnBeingHeldAndCanBeApproved) {
  ChangedPool pool = HoldingPool();
  pool.context.new_uid = "uid-2";
  EXPECT_THAT(pool.Made(BeginNewHistory(pool.record, pool.context)).dropped, IsEmpty());
  ASSERT_TRUE(pool.record.has_held());
  pool.Made(ApprovePlan(&pool.record, Approve(pool.record.held().plan().id()), pool.context));
  EXPECT_EQ(pool.InForce(), "a b c");
}

}  // namespace
}  // namespace weir
