#include "controlplane/model/pool_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "controlplane/model/change_test_support.h"
#include "controlplane/model/resources.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_limits.h"

namespace weir {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::UpdatePoolRequest Update(const ChangedPool& pool, const v1::PoolSpec& spec,
                             std::initializer_list<const char*> paths) {
  v1::UpdatePoolRequest request;
  request.set_name("alpha");
  *request.mutable_spec() = spec;
  for (const char* path : paths) request.mutable_update_mask()->add_paths(path);
  *request.mutable_options() = pool.Fresh();
  return request;
}

TEST(CreatePoolTest, PutsTheDeclarationInForce) {
  ChangedPool pool("b*2 a");
  EXPECT_EQ(pool.InForce(), "a b*2");
  EXPECT_EQ(pool.record.uid(), "uid-1");
  EXPECT_EQ(pool.record.created().seconds(), 1000);
  EXPECT_EQ(pool.record.declared_generation(), 1u);
  EXPECT_EQ(pool.record.shard_map().generation(), 1u);
  EXPECT_EQ(pool.record.shard_map().declared_generation(), 1u);
  EXPECT_EQ(pool.record.shard_map().merged_servers_size(), 2);
  EXPECT_EQ(pool.record.shard_map().slots(0).source(), v1::SLOT_FROM_SPEC);
}

TEST(CreatePoolTest, TheFirstMembershipIsNotHeld) {
  ChangedPool world("a");
  v1::CreatePoolRequest request;
  request.set_name("beta");
  *request.mutable_spec() = SpecWith("a b");
  request.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  request.mutable_options()->set_max_moved_fraction(0);
  ChangeResult result = CreatePool(nullptr, request, world.context);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.change().effect, ChangeEffect::kApplied);
  EXPECT_EQ(result.change().plan.shards_after(), 2u);
  EXPECT_THAT(result.change().plan.changes(), Contains("add shard a (host-a:6379, weight 1)"));
}

TEST(CreatePoolTest, APoolThatExistsIsNotCreatedAgain) {
  ChangedPool pool("a");
  v1::CreatePoolRequest request;
  request.set_name("alpha");
  *request.mutable_spec() = SpecWith("a");
  EXPECT_EQ(CodeOf(CreatePool(&pool.record, request, pool.context)),
            absl::StatusCode::kAlreadyExists);
}

TEST(CreatePoolTest, NamesTheFieldsThatAreWrong) {
  ChangedPool world("a");
  v1::CreatePoolRequest request;
  request.set_name("bad name");
  *request.mutable_spec() = SpecWith("a b");
  request.mutable_spec()->mutable_policy()->set_timeout(666);
  request.mutable_spec()->mutable_servers(1)->set_endpoint("h:0");
  ChangeResult result = CreatePool(nullptr, request, world.context);
  EXPECT_EQ(CodeOf(result), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BadFields(result), "name spec.policy.timeout spec.servers[1].endpoint");
}

TEST(CreatePoolTest, DuplicateNamesAreRefused) {
  ChangedPool world("a");
  v1::CreatePoolRequest request;
  request.set_name("beta");
  *request.mutable_spec() = SpecWith("a b a");
  EXPECT_EQ(BadFields(CreatePool(nullptr, request, world.context)), "spec.servers");
}

TEST(CreatePoolTest, OptionsAreChecked) {
  ChangedPool world("a");
  v1::CreatePoolRequest request;
  request.set_name("beta");
  request.mutable_options()->set_request_id("42");
  request.mutable_options()->set_wait(static_cast<v1::WaitFor>(7));
  request.mutable_options()->set_max_moved_fraction(std::numeric_limits<double>::quiet_NaN());
  request.mutable_options()->mutable_wait_timeout()->set_seconds(301);
  EXPECT_EQ(BadFields(CreatePool(nullptr, request, world.context)),
            "options.request_id options.max_moved_fraction options.wait options.wait_timeout");
}

TEST(UpdatePoolTest, ChangesWhatTheMaskNames) {
  ChangedPool pool("a b");
  v1::PoolSpec spec = SpecWith("");
  spec.mutable_policy()->set_timeout(250);
  Change change =
      pool.Made(UpdatePool(&pool.record, Update(pool, spec, {"policy.timeout"}), pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kApplied);
  EXPECT_THAT(change.plan.changes(), ElementsAre("policy.timeout: unset -> 250"));
  EXPECT_EQ(change.plan.moved_fraction(), 0);
  EXPECT_EQ(pool.InForce(), "a b");
  EXPECT_EQ(pool.record.declared_generation(), 2u);
  EXPECT_EQ(pool.record.shard_map().generation(), 2u);
  ASSERT_TRUE(change.version.has_value());
  EXPECT_EQ(change.version->generation(), 2u);
  EXPECT_EQ(change.version->actor(), "alice");
  EXPECT_EQ(change.version->spec().policy().timeout(), 250u);
}

TEST(UpdatePoolTest, ServersAreMergedWithLiveChanges) {
  ChangedPool pool("a b");
  pool.record.mutable_shard_map()->mutable_slots()->RemoveLast();  // b, live
  pool.Made(UpdatePool(&pool.record, Update(pool, SpecWith("a b c"), {"servers"}), pool.context));
  EXPECT_EQ(pool.InForce(), "a c");
  EXPECT_EQ(pool.record.spec().servers_size(), 3);
}

TEST(UpdatePoolTest, TheSameContentIsNoChange) {
  ChangedPool pool("a b");
  v1::PoolSpec spec = SpecWith("b*1 a");
  Change change =
      pool.Made(UpdatePool(&pool.record, Update(pool, spec, {"servers"}), pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kNothing);
  EXPECT_FALSE(change.write);
  EXPECT_FALSE(change.version.has_value());
  EXPECT_EQ(pool.record.shard_map().generation(), 1u);
}

TEST(UpdatePoolTest, AChangeThatMovesTooMuchIsHeld) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.1);
  const std::string etag = EtagOf(pool.record);
  Change change = pool.Made(
      UpdatePool(&pool.record, Update(pool, SpecWith("a b c"), {"servers"}), pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kHeld);
  EXPECT_TRUE(change.held);
  EXPECT_THAT(change.plan.held_because(), ElementsAre(HasSubstr("guard allows 10.00 %")));
  EXPECT_EQ(pool.InForce(), "a b");
  EXPECT_EQ(pool.record.spec().servers_size(), 2);
  EXPECT_EQ(EtagOf(pool.record), etag);
  EXPECT_EQ(pool.record.held().plan().id(), change.plan.id());
  EXPECT_EQ(pool.record.held().actor(), "alice");
  EXPECT_EQ(pool.record.held_content().shard_map().generation(), 2u);
}

TEST(UpdatePoolTest, TheGuardCannotBeLoosenedByTheChangeThatItHolds) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.1);
  v1::PoolSpec spec = SpecWith("a b c");
  spec.mutable_guard()->set_max_moved_fraction(1);
  EXPECT_TRUE(pool.Made(UpdatePool(&pool.record, Update(pool, spec, {}), pool.context)).held);
}

TEST(UpdatePoolTest, ARequestMayAskForLessThanTheGuardAllows) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a b c"), {"servers"});
  request.mutable_options()->set_max_moved_fraction(0.05);
  Change change = pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_TRUE(change.held);
  EXPECT_THAT(change.plan.held_because(), ElementsAre(HasSubstr("request allows 5.00 %")));
}

TEST(UpdatePoolTest, ALostRaceIsAborted) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest late = Update(pool, SpecWith("a b"), {"servers"});
  pool.Made(UpdatePool(&pool.record, Update(pool, SpecWith("a b c"), {"servers"}), pool.context));
  EXPECT_EQ(CodeOf(UpdatePool(&pool.record, late, pool.context)), absl::StatusCode::kAborted);
}

TEST(UpdatePoolTest, WithoutAnEtagItTakesForce) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a b c"), {"servers"});
  request.mutable_options()->clear_etag();
  EXPECT_EQ(BadFields(UpdatePool(&pool.record, request, pool.context)), "options.etag");
  request.mutable_options()->set_force(true);
  pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_EQ(pool.InForce(), "a b c");
}

TEST(UpdatePoolTest, APoolThatGoesToAnotherFleetMovesAllOfItsKeys) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0.99);
  v1::PoolSpec spec = SpecWith("a b");
  spec.set_fleet("elsewhere");
  const Change held =
      pool.Made(UpdatePool(&pool.record, Update(pool, spec, {"fleet"}), pool.context));
  EXPECT_TRUE(held.held);
  EXPECT_EQ(held.plan.moved_fraction(), 1.0);
  EXPECT_THAT(held.plan.changes(),
              Contains("no proxy of fleet 'default' serves the pool any longer"));
  EXPECT_EQ(FleetOf(pool.record.spec()), "default");

  spec.set_fleet("default");  // as it is without a word
  const Change same =
      pool.Made(UpdatePool(&pool.record, Update(pool, spec, {"fleet"}), pool.context));
  EXPECT_EQ(same.plan.moved_fraction(), 0.0);
}

TEST(UpdatePoolTest, APoolThatNobodyServesYetMayGoToAnotherFleet) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  for (v1::Slot& slot : *pool.record.mutable_shard_map()->mutable_slots()) {
    slot.set_state(v1::SLOT_PENDING);
  }
  v1::PoolSpec spec = SpecWith("a b");
  spec.set_fleet("elsewhere");
  EXPECT_FALSE(
      pool.Made(UpdatePool(&pool.record, Update(pool, spec, {"fleet"}), pool.context)).held);
}

TEST(UpdatePoolTest, AHeldChangeThatTakesTheFirstOnesPlaceSaysWhichItDrops) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  const auto hold = [&pool](const char* shards) {
    return pool.Made(
        UpdatePool(&pool.record, Update(pool, SpecWith(shards), {"servers"}), pool.context));
  };
  const Change first = hold("a b c");
  EXPECT_THAT(first.dropped, IsEmpty());
  EXPECT_THAT(hold("a b c").dropped, IsEmpty()) << "the same again";
  const Change second = hold("a b d");
  EXPECT_TRUE(second.held);
  EXPECT_EQ(second.dropped, first.plan.id());
}

TEST(UpdatePoolTest, AnEtagOfAPoolThatWasDeletedAndCreatedAgainIsNotGood) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a"), {"servers"});
  ChangedPool again("a b");
  again.record.set_uid("uid-2");
  EXPECT_EQ(CodeOf(UpdatePool(&again.record, request, again.context)), absl::StatusCode::kAborted);
}

TEST(UpdatePoolTest, TheSameRequestGetsTheSameAnswerAgain) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a b c"), {"servers"});
  request.mutable_options()->set_request_id(kRequestId);
  Change first = pool.Made(UpdatePool(&pool.record, request, pool.context));
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);  // no other request
  Change second = pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_EQ(second.effect, ChangeEffect::kReplayed);
  EXPECT_FALSE(second.write);
  EXPECT_EQ(second.plan.id(), first.plan.id());
  EXPECT_EQ(pool.record.shard_map().generation(), 2u);
}

TEST(UpdatePoolTest, ARequestThatWasHeldIsAnsweredAsHeldAgain) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a b c"), {"servers"});
  request.mutable_options()->set_request_id(kRequestId);
  EXPECT_TRUE(pool.Made(UpdatePool(&pool.record, request, pool.context)).write);
  Change second = pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_EQ(second.effect, ChangeEffect::kReplayed);
  EXPECT_TRUE(second.held);
}

TEST(UpdatePoolTest, ARequestIdIsForOneRequest) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a b c"), {"servers"});
  request.mutable_options()->set_request_id(kRequestId);
  pool.Made(UpdatePool(&pool.record, request, pool.context));
  *request.mutable_spec() = SpecWith("a");
  EXPECT_EQ(CodeOf(UpdatePool(&pool.record, request, pool.context)),
            absl::StatusCode::kAlreadyExists);
}

TEST(UpdatePoolTest, ValidateOnlyPlansAndWritesNothing) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest request = Update(pool, SpecWith("a b c"), {"servers"});
  request.mutable_options()->set_request_id(kRequestId);
  request.mutable_options()->set_validate_only(true);
  Change change = pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_FALSE(change.write);
  EXPECT_EQ(change.plan.shards_after(), 3u);
  EXPECT_EQ(change.record.requests_size(), 0);
  request.mutable_options()->set_validate_only(false);
  Change real = pool.Made(UpdatePool(&pool.record, request, pool.context));
  EXPECT_EQ(real.effect, ChangeEffect::kApplied);
  EXPECT_EQ(real.plan.id(), change.plan.id());
}

TEST(UpdatePoolTest, AMaskThatNamesNoFieldIsRefused) {
  ChangedPool pool("a b");
  EXPECT_EQ(BadFields(UpdatePool(&pool.record, Update(pool, {}, {"policy.timeuot"}), pool.context)),
            "update_mask");
}

TEST(UpdatePoolTest, APoolThatDoesNotExistIsNotFound) {
  ChangedPool pool("a");
  EXPECT_EQ(CodeOf(UpdatePool(nullptr, Update(pool, {}, {}), pool.context)),
            absl::StatusCode::kNotFound);
}

TEST(UpdatePoolTest, AnAppliedChangeDropsWhatWasHeldBefore) {
  ChangedPool pool("a b");
  v1::UpdatePoolRequest held = Update(pool, SpecWith("a b c"), {"servers"});
  held.mutable_options()->set_max_moved_fraction(0);
  std::string plan_id = pool.Made(UpdatePool(&pool.record, held, pool.context)).plan.id();
  v1::PoolSpec spec;
  spec.mutable_policy()->set_timeout(9);
  Change change =
      pool.Made(UpdatePool(&pool.record, Update(pool, spec, {"policy.timeout"}), pool.context));
  EXPECT_FALSE(pool.record.has_held());
  EXPECT_FALSE(pool.record.has_held_content());
  EXPECT_THAT(change.plan.changes(), Contains(HasSubstr("drop held plan " + plan_id)));
}

TEST(DeclarePoolTest, CreatesAndMergesWithoutAnEtag) {
  ChangedPool world("z");
  ChangeResult created = DeclarePool(nullptr, "beta", SpecWith("a b"), world.context);
  ASSERT_TRUE(created.ok());
  EXPECT_EQ(created.change().effect, ChangeEffect::kApplied);
  EXPECT_EQ(created.change().record.name(), "beta");
  ChangeResult changed =
      DeclarePool(&created.change().record, "beta", SpecWith("a b c"), world.context);
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(changed.change().record.shard_map().slots_size(), 3);
}

TEST(DeclarePoolTest, AnotherSpellingOfAnEndpointUndoesNoLiveChange) {
  ChangedPool pool("a b");
  v1::PoolSpec spec = pool.record.spec();
  spec.mutable_servers(0)->set_endpoint("10.0.0.1:06379");
  pool.Made(DeclarePool(&pool.record, "alpha", spec, pool.context));
  EXPECT_EQ(pool.record.spec().servers(0).endpoint(), "10.0.0.1:6379");
  pool.record.mutable_shard_map()->mutable_slots(0)->set_endpoint("10.9.9.9:6379");  // live
  const Change change = pool.Made(DeclarePool(&pool.record, "alpha", spec, pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kNothing);
  EXPECT_EQ(pool.record.shard_map().slots(0).endpoint(), "10.9.9.9:6379");
}

TEST(DeclarePoolTest, MoreShardsThanAPoolMayHaveWithThoseAddedLiveAreRefused) {
  ChangedPool pool("a");
  v1::PoolSpec spec = pool.record.spec();
  for (int i = 1; i < kMaxServers; ++i) {
    v1::Slot& slot = *pool.record.mutable_shard_map()->add_slots();
    slot = pool.record.shard_map().slots(0);
    slot.set_name(StrCat("s", i));
  }
  *spec.add_servers() = spec.servers(0);
  spec.mutable_servers(1)->set_name("b");
  EXPECT_EQ(CodeOf(DeclarePool(&pool.record, "alpha", spec, pool.context)),
            absl::StatusCode::kFailedPrecondition);
}

TEST(DeclarePoolTest, ViolationsNameFieldsOfTheSpec) {
  ChangedPool pool("a");
  v1::PoolSpec spec = SpecWith("a");
  spec.mutable_servers(0)->set_endpoint("h:0");
  EXPECT_EQ(BadFields(DeclarePool(&pool.record, "alpha", spec, pool.context)),
            "servers[0].endpoint");
}

TEST(DeclarePoolTest, AHeldDeclarationIsHeldOnWithoutWritingAndTakenBackByTheOldOne) {
  ChangedPool pool("a b");
  v1::PoolSpec old_spec = pool.record.spec();
  old_spec.mutable_guard()->set_max_moved_fraction(0.1);
  pool.Made(DeclarePool(&pool.record, "alpha", old_spec, pool.context));
  v1::PoolSpec spec = old_spec;
  *spec.mutable_servers() = SpecWith("a b c").servers();
  EXPECT_TRUE(pool.Made(DeclarePool(&pool.record, "alpha", spec, pool.context)).write);
  Change again = pool.Made(DeclarePool(&pool.record, "alpha", spec, pool.context));
  EXPECT_TRUE(again.held);
  EXPECT_FALSE(again.write);
  Change back = pool.Made(DeclarePool(&pool.record, "alpha", old_spec, pool.context));
  EXPECT_EQ(back.effect, ChangeEffect::kNothing);
  EXPECT_TRUE(back.write);
  EXPECT_FALSE(pool.record.has_held());
}

TEST(DeletePoolTest, IsExemptFromTheGuardAndMovesEveryKey) {
  ChangedPool pool("a b");
  pool.record.mutable_spec()->mutable_guard()->set_max_moved_fraction(0);
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  *request.mutable_options() = pool.Fresh();
  Change change = pool.Made(DeletePool(&pool.record, request, pool.context));
  EXPECT_EQ(change.effect, ChangeEffect::kDeleted);
  EXPECT_TRUE(change.write);
  EXPECT_DOUBLE_EQ(change.plan.moved_fraction(), 1);
  EXPECT_THAT(change.plan.changes(), ElementsAre("delete pool alpha"));
  EXPECT_EQ(change.record.name(), "alpha");
}

TEST(DeletePoolTest, AMissingPoolIsAnErrorUnlessAllowed) {
  ChangedPool pool("a");
  v1::DeletePoolRequest request;
  request.set_name("beta");
  EXPECT_EQ(CodeOf(DeletePool(nullptr, request, pool.context)), absl::StatusCode::kNotFound);
  request.set_allow_missing(true);
  ChangeResult result = DeletePool(nullptr, request, pool.context);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.change().effect, ChangeEffect::kMissing);
  EXPECT_FALSE(result.change().write);
}

TEST(DeletePoolTest, OfAMissingPoolTheRequestIsRemembered) {
  ChangedPool pool("a");
  v1::DeletePoolRequest request;
  request.set_name("beta");
  request.set_allow_missing(true);
  request.mutable_options()->set_request_id(kRequestId);
  ChangeResult result = DeletePool(nullptr, request, pool.context);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.change().write);
  const v1::PoolRecord missing = result.change().record;
  EXPECT_EQ(missing.name(), "beta");
  EXPECT_EQ(missing.shard_map().generation(), 0u);
  ChangeResult replay = DeletePool(&missing, request, pool.context);
  ASSERT_TRUE(replay.ok());
  EXPECT_EQ(replay.change().effect, ChangeEffect::kReplayed);

  request.set_name("bad name");  // no pool can have it
  EXPECT_FALSE(DeletePool(nullptr, request, pool.context).change().write);
}

TEST(DeletePoolTest, ARetryIsAnsweredFromTheLastRecord) {
  ChangedPool pool("a b");
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  *request.mutable_options() = pool.Fresh();
  request.mutable_options()->set_request_id(kRequestId);
  Change change = pool.Made(DeletePool(&pool.record, request, pool.context));
  ChangeResult replay = DeletePool(&change.record, request, pool.context);
  ASSERT_TRUE(replay.ok());
  EXPECT_EQ(replay.change().effect, ChangeEffect::kReplayed);
  EXPECT_FALSE(replay.change().write);
}

}  // namespace
}  // namespace weir
