#include "controlplane/server/control_plane.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "controlplane/server/control_plane_test_support.h"
#include "controlplane/server/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/clock.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;

TEST_F(ControlPlaneTest, AChangeIsPublishedWhenThePoolHasBeenQuiet) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  EXPECT_EQ(store_.writes, 1);
  Advance(absl::Milliseconds(99));
  EXPECT_THAT(Published(), ElementsAre("none"));
  Advance(absl::Milliseconds(1));
  EXPECT_THAT(Published(), ElementsAre("a"));
}

TEST_F(ControlPlaneTest, ABurstIsPublishedAfterASecondAtTheLatest) {
  v1::PoolSpec spec = SpecWith({"a"});
  spec.mutable_guard()->set_max_moved_fraction(1);
  ASSERT_TRUE(Create("alpha", spec).ok());
  for (int i = 0; i < 11; ++i) {
    ASSERT_TRUE(Add(StrCat("s", i)).ok());
    EXPECT_THAT(Published(), ElementsAre("none")) << i;
    Advance(absl::Milliseconds(90));
  }
  Advance(absl::Milliseconds(10));  // a second after the first change
  EXPECT_EQ(Published().size(), 12u);
}

TEST_F(ControlPlaneTest, AWallClockThatIsSetBackDelaysNoChange) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  now_ -= absl::Hours(1);
  Advance(absl::Milliseconds(100));
  EXPECT_THAT(Published(), ElementsAre("a"));
}

TEST_F(ControlPlaneTest, AStoreThatFailsChangesNothing) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  store_.failure = absl::UnavailableError("disk gone");
  EXPECT_TRUE(absl::IsUnavailable(Add("b").status()));
  store_.failure = absl::OkStatus();
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a"));
  EXPECT_EQ(metrics_.store_errors_total.Value(), 1);
  EXPECT_TRUE(Add("b").ok());
}

TEST_F(ControlPlaneTest, AChangeThatMayNotSurviveAPowerFailureIsInForceAndBlocksNoLaterOne) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  store_.failure = absl::DataLossError("directory not synchronised");
  EXPECT_TRUE(absl::IsDataLoss(Add("b").status()));
  EXPECT_EQ(metrics_.store_errors_total.Value(), 1);
  store_.failure = absl::OkStatus();
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a", "b"));
  EXPECT_TRUE(Add("c").ok());

  store_.failure = absl::DataLossError("directory not synchronised");
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  request.mutable_options()->set_force(true);
  EXPECT_TRUE(absl::IsDataLoss(Call(&ControlPlane::DeletePool, request).status()));
  store_.failure = absl::OkStatus();
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("none"));
  EXPECT_TRUE(Create("alpha", SpecWith({"a"})).ok());
}

TEST_F(ControlPlaneTest, ARetryWithItsRequestIdGetsTheSameAnswerAndChangesNothing) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_request_id(kRequestId);
  const auto first = Call(&ControlPlane::AddShard, request);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Call(&ControlPlane::AddShard, request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(store_.writes, 2);
  request.mutable_shard()->set_name("c");
  EXPECT_TRUE(absl::IsAlreadyExists(Call(&ControlPlane::AddShard, request).status()));
}

TEST_F(ControlPlaneTest, AnErrorNamesTheFieldInItsDetails) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::AddShardRequest request = AddRequest("b");
  request.clear_options();
  const absl::Status status = Call(&ControlPlane::AddShard, request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  ASSERT_EQ(BadRequestOf(status).field_violations_size(), 1);
  EXPECT_EQ(BadRequestOf(status).field_violations(0).field(), "options.etag");
}

TEST_F(ControlPlaneTest, AnOldEtagIsAborted) {
  const std::string etag = Create("alpha", SpecWith({"a"}))->pool().etag();
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_force(false);
  request.mutable_options()->set_etag(etag);
  EXPECT_TRUE(Call(&ControlPlane::AddShard, request).ok());
  request.mutable_shard()->set_name("c");
  EXPECT_TRUE(absl::IsAborted(Call(&ControlPlane::AddShard, request).status()));
}

TEST_F(ControlPlaneTest, ValidateOnlyPlansAndDoesNothing) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_validate_only(true);
  const auto answer = Call(&ControlPlane::AddShard, request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->plan().shards_after(), 2u);
  EXPECT_EQ(store_.writes, 1);
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a"));
}

TEST_F(ControlPlaneTest, TheGuardHoldsAChangeUntilItsPlanIsApproved) {
  v1::PoolSpec spec = SpecWith({"a", "b"});
  spec.mutable_guard()->set_max_moved_fraction(0.01);
  ASSERT_TRUE(Create("alpha", spec).ok());
  const auto held = Add("c");
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_TRUE(held->held());
  EXPECT_EQ(metrics_.guard_holds_total.Value(), 1);
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a", "b"));

  v1::ApprovePlanRequest approve;
  approve.set_pool("alpha");
  approve.set_plan_id(held->plan().id());
  const auto approved = Call(&ControlPlane::ApprovePlan, approve);
  ASSERT_TRUE(approved.ok()) << approved.status();
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a", "b", "c"));
}

TEST_F(ControlPlaneTest, AWaitEndsWhenEveryProxyHasAnswered) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  FakeProxy first(proxies_, cache_, "p1");
  FakeProxy second(proxies_, cache_, "p2");
  first.Answers();
  second.Answers();

  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  std::optional<v1::ChangeResponse> answer;
  control_.AddShard(request, kAlice,
                    [&answer](absl::StatusOr<v1::ChangeResponse> result) { answer = *result; });
  first.Answers();  // of what was there before
  EXPECT_FALSE(answer);
  Advance(absl::Milliseconds(100));
  first.Answers();
  EXPECT_FALSE(answer);
  second.Answers("no room");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->proxies_size(), 2);
  EXPECT_EQ(answer->proxies(0).outcome(), v1::PROXY_ACKED);
  EXPECT_EQ(answer->proxies(1).outcome(), v1::PROXY_NACKED);
  EXPECT_EQ(answer->proxies(1).reason(), "no room");
}

TEST_F(ControlPlaneTest, AWaitEndsAtItsDeadline) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  FakeProxy proxy(proxies_, cache_, "p1");
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  request.mutable_options()->mutable_wait_timeout()->set_seconds(3);
  std::optional<v1::ChangeResponse> answer;
  control_.AddShard(request, kAlice,
                    [&answer](absl::StatusOr<v1::ChangeResponse> result) { answer = *result; });
  Advance(absl::Milliseconds(2999));
  EXPECT_FALSE(answer);
  Advance(absl::Milliseconds(1));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->proxies(0).outcome(), v1::PROXY_TIMEOUT);
}

TEST_F(ControlPlaneTest, AWaitEndsWithTheProcess) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  FakeProxy proxy(proxies_, cache_, "p1");
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  int answers = 0;
  const ChangeDone count = [&answers](const absl::StatusOr<v1::ChangeResponse>&) { ++answers; };
  control_.AddShard(request, kAlice, count);
  control_.EndWaits();
  EXPECT_EQ(answers, 1);
  request.mutable_shard()->set_name("c");
  control_.AddShard(request, kAlice, count);
  EXPECT_EQ(answers, 2);
}

TEST_F(ControlPlaneTest, AnEditByHandGoesTheSameWay) {
  EXPECT_TRUE(store_.observer().OnDeclared("alpha", SpecWith({"a", "b"})));
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a", "b"));
  EXPECT_EQ(metrics_.merges_total.Value(), 1);
  v1::ListVersionsRequest request;
  request.set_pool("alpha");
  EXPECT_EQ(control_.ListVersions(request)->versions(0).origin(), "file");
  store_.observer().OnRefused("alpha", "alpha.yml:3: mistake");
  EXPECT_EQ(metrics_.merge_refusals_total.Value(), 1);
}

TEST_F(ControlPlaneTest, ARefusedFileIsInThePoolsStatusUntilItIsInOrder) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  int wakes = 0;
  const auto watch = control_.Watch("", [&wakes] { ++wakes; });
  ASSERT_TRUE(control_.NextFor(*watch).has_value());
  ASSERT_FALSE(control_.NextFor(*watch).has_value());
  store_.observer().OnRefused("alpha", "alpha.yml:3: mistake\nalpha.yml:5: another");
  EXPECT_EQ(wakes, 1);
  EXPECT_THAT(control_.NextFor(*watch)->changed(0).status().file_errors(),
              ElementsAre("alpha.yml:3: mistake", "alpha.yml:5: another"));
  v1::GetPoolRequest get;
  get.set_name("alpha");
  EXPECT_EQ(control_.GetPool(get)->status().file_errors_size(), 2);
  EXPECT_EQ(control_.ListPools({})->pools(0).status().file_errors_size(), 2);

  store_.observer().OnRefused("alpha", "");
  EXPECT_EQ(control_.GetPool(get)->status().file_errors_size(), 0);
  EXPECT_EQ(metrics_.merge_refusals_total.Value(), 1);
  store_.observer().OnRefused("alpha", "alpha.yml:3: mistake");
  EXPECT_TRUE(store_.observer().OnDeclared("alpha", SpecWith({"a", "b"})));
  EXPECT_EQ(control_.GetPool(get)->status().file_errors_size(), 0);
  store_.observer().OnRefused("nobody", "nobody.yml:1: mistake");
  EXPECT_TRUE(Create("nobody", SpecWith({"a"})).ok());
  get.set_name("nobody");
  EXPECT_EQ(control_.GetPool(get)->status().file_errors_size(), 0);
}

TEST_F(ControlPlaneTest, AnEditByHandThatCannotBeStoredIsNotSettled) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  store_.failure = absl::ResourceExhaustedError("disk full");
  EXPECT_FALSE(store_.observer().OnDeclared("alpha", SpecWith({"a", "b"})));
  store_.failure = absl::OkStatus();
  EXPECT_TRUE(store_.observer().OnDeclared("alpha", SpecWith({"a", "b"})));
  EXPECT_TRUE(store_.observer().OnDeclared("alpha", SpecWith({"c", "d"})));
  EXPECT_EQ(metrics_.guard_holds_total.Value(), 1);  // held is settled, too
}

TEST_F(ControlPlaneTest, AnEditByHandThatIsHeldAndUndoneIsNotHeldAnyLonger) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  EXPECT_TRUE(store_.observer().OnDeclared("alpha", SpecWith({"c", "d"})));
  v1::GetPoolRequest get;
  get.set_name("alpha");
  const v1::Pool held = *control_.GetPool(get);
  EXPECT_EQ(held.status().held().origin(), kOriginFile);
  EXPECT_TRUE(store_.observer().OnDeclared("alpha", SpecWith({"a"})));
  EXPECT_FALSE(control_.GetPool(get)->status().has_held());
  EXPECT_EQ(control_.GetPool(get)->shard_map().generation(), held.shard_map().generation());
}

TEST_F(ControlPlaneTest, ADeletedPoolLeavesTheProxiesAndARetryIsAnsweredTheSame) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  request.mutable_options()->set_force(true);
  request.mutable_options()->set_request_id(kRequestId);
  const auto first = Call(&ControlPlane::DeletePool, request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->pool().name(), "alpha");
  const auto second = Call(&ControlPlane::DeletePool, request);
  ASSERT_TRUE(second.ok()) << second.status();
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("none"));
  v1::GetPoolRequest get;
  get.set_name("alpha");
  EXPECT_TRUE(absl::IsNotFound(control_.GetPool(get).status()));
}

TEST_F(ControlPlaneTest, ARetryOfADeletionIsAnsweredTheSameAfterARestartAndWhenThePoolIsBack) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  request.mutable_options()->set_force(true);
  request.mutable_options()->set_request_id(kRequestId);
  const auto first = Call(&ControlPlane::DeletePool, request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(Create("alpha", SpecWith({"a", "b"})).ok());

  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));
  ASSERT_TRUE(restarted.Load().ok());
  ASSERT_TRUE(restarted.Start().ok());
  std::optional<absl::StatusOr<v1::ChangeResponse>> again;
  restarted.DeletePool(request, kAlice, [&again](auto result) { again = std::move(result); });
  ASSERT_TRUE(again.has_value() && again->ok());
  EXPECT_EQ((*again)->SerializeAsString(), first->SerializeAsString());
  v1::GetPoolRequest get;
  get.set_name("alpha");
  EXPECT_TRUE(restarted.GetPool(get).ok());

  request.set_allow_missing(true);  // another request
  restarted.DeletePool(request, kAlice, [&again](auto result) { again = std::move(result); });
  EXPECT_TRUE(absl::IsAlreadyExists(again->status()));
}

TEST_F(ControlPlaneTest, ARetryOfADeletionThatFoundNoPoolDeletesNoneThatCameSince) {
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  request.set_allow_missing(true);
  request.mutable_options()->set_force(true);
  request.mutable_options()->set_request_id(kRequestId);
  const auto first = Call(&ControlPlane::DeletePool, request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->has_pool());
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());

  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));
  ASSERT_TRUE(restarted.Load().ok());
  for (ControlPlane* const control : {&control_, &restarted}) {
    std::optional<absl::StatusOr<v1::ChangeResponse>> again;
    control->DeletePool(request, kAlice, [&again](auto result) { again = std::move(result); });
    ASSERT_TRUE(again.has_value() && again->ok());
    EXPECT_EQ((*again)->SerializeAsString(), first->SerializeAsString());
    v1::GetPoolRequest get;
    get.set_name("alpha");
    EXPECT_TRUE(control->GetPool(get).ok());
  }
}

TEST_F(ControlPlaneTest, ARetryOfACreationCreatesNothingWhenThePoolIsGone) {
  v1::CreatePoolRequest request;
  request.set_name("alpha");
  *request.mutable_spec() = SpecWith({"a"});
  request.mutable_options()->set_request_id(kRequestId);
  const auto first = Call(&ControlPlane::CreatePool, request);
  ASSERT_TRUE(first.ok()) << first.status();
  v1::DeletePoolRequest remove;
  remove.set_name("alpha");
  remove.mutable_options()->set_force(true);
  ASSERT_TRUE(Call(&ControlPlane::DeletePool, remove).ok());
  const auto again = Call(&ControlPlane::CreatePool, request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->pool().uid(), first->pool().uid());
  EXPECT_EQ(again->plan().SerializeAsString(), first->plan().SerializeAsString());
  v1::GetPoolRequest get;
  get.set_name("alpha");
  EXPECT_TRUE(absl::IsNotFound(control_.GetPool(get).status()));
  request.mutable_spec()->mutable_servers(0)->set_weight(2);  // another request
  EXPECT_TRUE(absl::IsAlreadyExists(Call(&ControlPlane::CreatePool, request).status()));
}

TEST_F(ControlPlaneTest, ARetryOfAChangeIsNotMadeToAnotherPoolOfTheName) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_request_id(kRequestId);
  ASSERT_TRUE(Call(&ControlPlane::AddShard, request).ok());
  v1::DeletePoolRequest remove;
  remove.set_name("alpha");
  remove.mutable_options()->set_force(true);
  ASSERT_TRUE(Call(&ControlPlane::DeletePool, remove).ok());
  const auto created = Create("alpha", SpecWith({"a"}));
  ASSERT_TRUE(created.ok());
  Advance(absl::Seconds(1));
  FakeProxy proxy(proxies_, cache_, "p1");
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  const auto again = Call(&ControlPlane::AddShard, request);  // and waits for nobody
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE(again->pool().uid(), created->pool().uid());
  v1::GetPoolRequest get;
  get.set_name("alpha");
  EXPECT_EQ(control_.GetPool(get)->shard_map().slots_size(), 1);
}

TEST_F(ControlPlaneTest, ARequestIdIsForOnePool) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::AddShardRequest add = AddRequest("b");
  add.mutable_options()->set_request_id(kRequestId);
  ASSERT_TRUE(Call(&ControlPlane::AddShard, add).ok());
  v1::CreatePoolRequest create;
  create.set_name("beta");
  *create.mutable_spec() = SpecWith({"a"});
  create.mutable_options()->set_request_id(kRequestId);
  EXPECT_TRUE(absl::IsAlreadyExists(Call(&ControlPlane::CreatePool, create).status()));

  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));
  ASSERT_TRUE(restarted.Load().ok());
  std::optional<absl::StatusOr<v1::ChangeResponse>> answer;
  restarted.CreatePool(create, kAlice, [&answer](auto result) { answer = std::move(result); });
  EXPECT_TRUE(absl::IsAlreadyExists(answer->status()));
}

TEST_F(ControlPlaneTest, ARequestIdOfWhatFailedIsFree) {
  v1::AddShardRequest add = AddRequest("b");
  add.mutable_options()->set_request_id(kRequestId);
  EXPECT_TRUE(absl::IsNotFound(Call(&ControlPlane::AddShard, add).status()));
  v1::CreatePoolRequest create;
  create.set_name("beta");
  *create.mutable_spec() = SpecWith({"a"});
  create.mutable_options()->set_request_id(kRequestId);
  EXPECT_TRUE(Call(&ControlPlane::CreatePool, create).ok());
}

TEST_F(ControlPlaneTest, BeyondTheMostPoolsNoneIsCreated) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  ASSERT_TRUE(Create("beta", SpecWith({"a"})).ok());
  ResourceCache cache;
  ControlPlane::Parts parts = PartsWith(cache);
  parts.max_pools = 2;
  ControlPlane full(parts);
  ASSERT_TRUE(full.Load().ok());
  std::optional<absl::StatusOr<v1::ChangeResponse>> answer;
  v1::CreatePoolRequest create;
  create.set_name("gamma");
  *create.mutable_spec() = SpecWith({"a"});
  full.CreatePool(create, kAlice, [&answer](auto result) { answer = std::move(result); });
  EXPECT_TRUE(absl::IsResourceExhausted(answer->status()));
  full.AddShard(AddRequest("b"), kAlice, [&answer](auto result) { answer = std::move(result); });
  EXPECT_TRUE(answer->ok()) << answer->status();
}

TEST_F(ControlPlaneTest, APoolThatIsMadeAnewIsYoungerAlsoWhenTheClockWasSetBack) {
  const auto created = [this] {
    return cache_.View("default")->Find(PoolId("alpha"))->message.created();
  };
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  const int64_t before = created().seconds();
  v1::DeletePoolRequest request;
  request.set_name("alpha");
  request.mutable_options()->set_force(true);
  ASSERT_TRUE(Call(&ControlPlane::DeletePool, request).ok());
  Advance(absl::Seconds(1));
  const auto removal = cache_.View("default")->places->RemovalOf(PoolId("alpha"));
  ASSERT_TRUE(removal.has_value());
  EXPECT_EQ(removal->generation(), 2u);
  now_ -= absl::Hours(1);
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  EXPECT_GE(created().seconds(), before);
  EXPECT_NE(cache_.View("default")->Find(PoolId("alpha"))->message.uid(), removal->uid());
}

TEST_F(ControlPlaneTest, APoolMovesToAnotherFleet) {
  v1::PoolSpec spec = SpecWith({"a"});
  spec.mutable_guard()->set_max_moved_fraction(1);
  ASSERT_TRUE(Create("alpha", spec).ok());
  Advance(absl::Seconds(1));
  v1::UpdatePoolRequest request;
  request.set_name("alpha");
  request.mutable_spec()->set_fleet("eu");
  request.mutable_update_mask()->add_paths("fleet");
  request.mutable_options()->set_force(true);
  ASSERT_TRUE(Call(&ControlPlane::UpdatePool, request).ok());
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published("alpha", "default"), ElementsAre("none"));
  EXPECT_THAT(Published("alpha", "eu"), ElementsAre("a"));
}

TEST_F(ControlPlaneTest, AnotherAddressOfANameSendsTheEndpointsAlone) {
  v1::PoolSpec spec = SpecWith({"a"});
  spec.mutable_servers(0)->set_endpoint("redis.example:6379");
  ASSERT_TRUE(Create("alpha", spec).ok());
  EXPECT_EQ(control_.NamesToResolve().size(), 1u);
  control_.SetAddresses("redis.example:6379", {"192.0.2.1:6379"});
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("192.0.2.1:6379"));
  const std::string version = cache_.View("default")->Find(PoolId("alpha"))->version();
  control_.SetAddresses("redis.example:6379", {"192.0.2.2:6379", "192.0.2.3:6379"});
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("192.0.2.2:6379", "192.0.2.3:6379"));
  EXPECT_EQ(cache_.View("default")->Find(PoolId("alpha"))->version(), version);
}

// Each of thousands of names built the whole pool anew, while no change could be made.
TEST_F(ControlPlaneTest, ManyNewAddressesChangeThePoolOnce) {
  v1::PoolSpec spec = SpecWith({"a", "b"});
  spec.mutable_servers(0)->set_endpoint("a.example:6379");
  spec.mutable_servers(1)->set_endpoint("b.example:6379");
  ASSERT_TRUE(Create("alpha", spec).ok());
  Advance(absl::Seconds(1));
  int told = 0;
  const auto watch = control_.Watch("", [&told] { ++told; });
  while (control_.NextFor(*watch).has_value()) {
  }
  control_.SetAddresses("a.example:6379", {"192.0.2.1:6379"});
  const Moment due = moment_ + Publisher::kQuiet;
  EXPECT_EQ(control_.RefreshPools(moment_), due);
  moment_ += Publisher::kQuiet / 2;
  control_.SetAddresses("b.example:6379", {"192.0.2.2:6379"});
  EXPECT_EQ(control_.RefreshPools(moment_), due);
  EXPECT_EQ(told, 0);
  EXPECT_EQ(control_.RefreshPools(due), kNever);
  EXPECT_EQ(told, 1);
  Advance(absl::Seconds(1));
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("192.0.2.1:6379", "192.0.2.2:6379"));
}

TEST_F(ControlPlaneTest, ARestartTellsNoProxyThatAShardWithAHostNameHasNoAddresses) {
  v1::PoolSpec spec = SpecWith({"a"});
  spec.mutable_servers(0)->set_endpoint("redis.example:6379");
  ASSERT_TRUE(Create("alpha", spec).ok());
  control_.SetAddresses("redis.example:6379", {"192.0.2.1:6379"});
  const KnownAddresses kept = control_.Resolved();

  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));
  ASSERT_TRUE(restarted.Load(kept).ok());
  ASSERT_TRUE(restarted.Start().ok());  // the name server is away
  const ResourcePtr endpoints = cache.View("default")->Find(EndpointsId("alpha"));
  ASSERT_NE(endpoints, nullptr);
  EXPECT_THAT(endpoints->message.endpoints().slots(0).addresses(), ElementsAre("192.0.2.1:6379"));
}

TEST_F(ControlPlaneTest, ARequestIdIsTheSameInUpperCase) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::AddShardRequest request = AddRequest("b");
  request.mutable_options()->set_request_id(kRequestId);
  ASSERT_TRUE(Call(&ControlPlane::AddShard, request).ok());
  const int writes = store_.writes;
  absl::AsciiStrToUpper(request.mutable_options()->mutable_request_id());
  ASSERT_TRUE(Call(&ControlPlane::AddShard, request).ok());  // the first answer again
  EXPECT_EQ(store_.writes, writes);
  request.mutable_shard()->set_name("c");
  EXPECT_TRUE(absl::IsAlreadyExists(Call(&ControlPlane::AddShard, request).status()));
}

TEST_F(ControlPlaneTest, ARollbackTakesNoVersionOfAPoolThatWentBeforeItsTurn) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  ASSERT_TRUE(Add("b").ok());
  bool goes = false;
  ResourceCache cache;
  ControlPlane::Parts parts = PartsWith(cache);
  parts.now = [&] {  // with the pool's lock
    if (!std::exchange(goes, false)) return now_;
    const StoredPool alpha = store_.Load()->front();
    EXPECT_TRUE(store_.Delete(alpha.record, alpha.revision).ok());
    return now_;
  };
  ControlPlane other(parts);
  ASSERT_TRUE(other.Load().ok());
  ASSERT_TRUE(other.Start().ok());
  v1::RollbackRequest request;
  request.set_pool("alpha");
  request.set_generation(1);
  request.mutable_options()->set_force(true);
  goes = true;
  absl::Status status;
  other.Rollback(request, kAlice, [&status](const absl::StatusOr<v1::ChangeResponse>& result) {
    status = result.status();
  });
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
}

}  // namespace
}  // namespace weir
