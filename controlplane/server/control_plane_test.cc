#include "controlplane/server/control_plane.h"

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controlplane/server/error_details.h"
#include "controlplane/server/memory_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/check.h"
#include "proxy/base/clock.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Caller kAlice{.name = "alice", .origin = "api 127.0.0.1:1"};
constexpr char kRequestId[] = "6f1d7c1e-3c3a-4b8e-9a53-0c7d1a2b3c4d";

v1::PoolSpec SpecWith(std::vector<std::string> shards) {
  v1::PoolSpec spec;
  spec.mutable_policy()->set_listen("127.0.0.1:22121");
  spec.mutable_policy()->set_redis(true);
  for (const std::string& shard : shards) {
    v1::ShardSpec& added = *spec.add_servers();
    added.set_name(shard);
    added.set_endpoint("127.0.0.1:6379");
  }
  return spec;
}

// A proxy that is connected and answers when it is told to.
class FakeProxy {
 public:
  FakeProxy(ProxyRegistry& registry, ResourceCache& cache, const std::string& id,
            const std::string& fleet = "default")
      : registry_(registry),
        cache_(cache),
        state_(std::make_shared<ProxyState>("127.0.0.1:2", absl::UnixEpoch(), false)) {
    v1::Node node;
    node.set_id(id);
    node.set_fleet(fleet);
    state_->Open(node, {});
    state_->Subscribe({});
    registry_.Join(state_);
  }

  // Takes over all that the cache has for it, or refuses it.
  void Answers(std::string_view refusal = {}) {
    const Difference difference = state_->Missing(*cache_.View("default"), 1 << 20);
    v1::Ack ack;
    for (const ResourcePtr& resource : difference.changed) {
      if (refusal.empty()) continue;
      v1::ResourceError& error = *ack.add_errors();
      *error.mutable_key() = resource->message.key();
      error.set_version(resource->version());
      error.set_error_detail(std::string(refusal));
    }
    state_->Answer(difference.changed, difference.removed, ack);
    registry_.Answered(*state_);
  }
  void Leaves() { registry_.Leave(*state_); }

 private:
  ProxyRegistry& registry_;
  ResourceCache& cache_;
  ProxyPtr state_;
};

class ControlPlaneTest : public ::testing::Test {
 protected:
  ControlPlaneTest() {
    CHECK(control_.Load().ok());
    CHECK(control_.Start().ok());
  }

  template <typename Request>
  absl::StatusOr<v1::ChangeResponse> Call(void (ControlPlane::*method)(const Request&,
                                                                       const Caller&, ChangeDone),
                                          const Request& request) {
    std::optional<absl::StatusOr<v1::ChangeResponse>> answer;
    (control_.*method)(request, kAlice, [&answer](absl::StatusOr<v1::ChangeResponse> result) {
      answer = std::move(result);
    });
    return answer ? *std::move(answer) : absl::DeadlineExceededError("not answered yet");
  }

  absl::StatusOr<v1::ChangeResponse> Create(const std::string& name, v1::PoolSpec spec) {
    v1::CreatePoolRequest request;
    request.set_name(name);
    *request.mutable_spec() = std::move(spec);
    return Call(&ControlPlane::CreatePool, request);
  }

  static v1::AddShardRequest AddRequest(const std::string& shard) {
    v1::AddShardRequest request;
    request.set_pool("alpha");
    request.mutable_shard()->set_name(shard);
    request.mutable_shard()->set_endpoint("127.0.0.1:6380");
    request.mutable_options()->set_force(true);
    return request;
  }
  absl::StatusOr<v1::ChangeResponse> Add(const std::string& shard) {
    return Call(&ControlPlane::AddShard, AddRequest(shard));
  }

  // Time passes; what is due happens.
  void Advance(absl::Duration duration) {
    moment_ += absl::ToChronoNanoseconds(duration);
    control_.RunDue(moment_);
  }

  // The slots that proxies of the fleet see on the ring of the pool; "none" without such a pool.
  std::vector<std::string> Published(const std::string& pool = "alpha",
                                     const std::string& fleet = "default") {
    const ResourcePtr found = cache_.View(fleet)->Find(PoolId(pool));
    if (found == nullptr) return {"none"};
    std::vector<std::string> slots;
    for (const v1::RingSlot& slot : found->message.pool().slots()) slots.push_back(slot.name());
    return slots;
  }

  std::vector<std::string> AddressesOf(const std::string& pool) {
    const ResourcePtr found = cache_.View("default")->Find(EndpointsId(pool));
    std::vector<std::string> addresses;
    for (const auto& slot : found->message.endpoints().slots()) {
      for (const std::string& address : slot.addresses()) addresses.push_back(address);
    }
    return addresses;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  Moment moment_ = Moment() + std::chrono::hours(1);
  // Of the one under test, or of another over the same store, as after a restart.
  ControlPlane::Parts PartsWith(ResourceCache& cache) {
    return {.store = store_,
            .cache = cache,
            .proxies = proxies_,
            .metrics = metrics_,
            .now = [this] { return now_; },
            .moment = [this] { return moment_; },
            .wake = [] {}};
  }

  MemoryStore store_;
  ResourceCache cache_;
  ProxyRegistry proxies_;
  ControlMetrics metrics_;
  ControlPlane control_{PartsWith(cache_)};
};

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
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
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
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("192.0.2.1:6379"));
  const std::string version = cache_.View("default")->Find(PoolId("alpha"))->version();
  control_.SetAddresses("redis.example:6379", {"192.0.2.2:6379", "192.0.2.3:6379"});
  Advance(absl::Seconds(1));
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("192.0.2.2:6379", "192.0.2.3:6379"));
  EXPECT_EQ(cache_.View("default")->Find(PoolId("alpha"))->version(), version);
}

TEST_F(ControlPlaneTest, ARestartTellsNoProxyThatAShardWithAHostNameHasNoAddresses) {
  v1::PoolSpec spec = SpecWith({"a"});
  spec.mutable_servers(0)->set_endpoint("redis.example:6379");
  ASSERT_TRUE(Create("alpha", spec).ok());
  control_.SetAddresses("redis.example:6379", {"192.0.2.1:6379"});
  const ResolvedAddresses kept = control_.Resolved();

  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));
  ASSERT_TRUE(restarted.Load(kept).ok());
  ASSERT_TRUE(restarted.Start().ok());  // the name server is away
  const ResourcePtr endpoints = cache.View("default")->Find(EndpointsId("alpha"));
  ASSERT_NE(endpoints, nullptr);
  EXPECT_THAT(endpoints->message.endpoints().slots(0).addresses(), ElementsAre("192.0.2.1:6379"));
}

TEST_F(ControlPlaneTest, VersionsThatWouldMakeTooLargeAnAnswerAreOnTheNextPage) {
  v1::PoolSpec spec = SpecWith({});
  spec.mutable_policy()->set_distribution("random");  // quickly planned
  for (int i = 0; i < 2000; ++i) {
    v1::ShardSpec& shard = *spec.add_servers();
    shard.set_name(StrCat(i, std::string(240, 's')));
    shard.set_endpoint("127.0.0.1:6379");
  }
  ASSERT_TRUE(Create("alpha", spec).ok());
  for (const char* shard : {"b", "c", "d"}) ASSERT_TRUE(Add(shard).ok());
  v1::ListVersionsRequest request;
  request.set_pool("alpha");
  const auto versions = control_.ListVersions(request);
  ASSERT_TRUE(versions.ok());
  EXPECT_GE(versions->versions_size(), 1);
  EXPECT_LT(versions->versions_size(), 4);
  EXPECT_LT(versions->ByteSizeLong(), size_t{4} << 20);
  EXPECT_EQ(versions->versions(0).generation(), 4u);
  const uint64_t last = versions->versions().rbegin()->generation();
  request.set_page_token(versions->next_page_token());
  EXPECT_EQ(control_.ListVersions(request)->versions(0).generation(), last - 1);
}

TEST_F(ControlPlaneTest, VersionsAreListedPageByPageNewestFirst) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  for (const char* shard : {"b", "c"}) ASSERT_TRUE(Add(shard).ok());
  v1::ListVersionsRequest request;
  request.set_pool("alpha");
  EXPECT_THAT(control_.ListVersions(request)->next_page_token(), IsEmpty());
  request.set_page_size(2);
  v1::ListVersionsResponse page = *control_.ListVersions(request);
  ASSERT_EQ(page.versions_size(), 2);
  EXPECT_EQ(page.versions(0).generation(), 3u);
  ASSERT_TRUE(Add("d").ok());  // what is new meanwhile moves no page
  request.set_page_token(page.next_page_token());
  page = *control_.ListVersions(request);
  ASSERT_EQ(page.versions_size(), 1);
  EXPECT_EQ(page.versions(0).generation(), 1u);
  EXPECT_THAT(page.next_page_token(), IsEmpty());
  for (const char* token : {"!", "bm8"}) {
    request.set_page_token(token);
    EXPECT_TRUE(absl::IsInvalidArgument(control_.ListVersions(request).status())) << token;
  }
}

TEST_F(ControlPlaneTest, AWatchOfLargePoolsIsToldInSeveralMessages) {
  v1::PoolSpec spec = SpecWith({});
  for (int i = 0; i < 1000; ++i) {
    v1::ShardSpec& shard = *spec.add_servers();
    shard.set_name(StrCat(i, std::string(240, 's')));
    shard.set_endpoint("127.0.0.1:6379");
  }
  for (const char* name : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(Create(name, spec).ok());
  const auto watch = control_.Watch("", [] {});
  int pools = 0;
  int messages = 0;
  for (bool synced = false; !synced; ++messages) {
    const auto news = control_.NextFor(*watch);
    ASSERT_TRUE(news);
    EXPECT_LT(news->ByteSizeLong(), size_t{4} << 20);
    pools += news->changed_size();
    synced = news->synced();
  }
  EXPECT_EQ(pools, 5);
  EXPECT_GT(messages, 1);
}

TEST_F(ControlPlaneTest, AWatchSeesWhatIsThereThenEveryChangeThenNothing) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  int wakes = 0;
  const auto watch = control_.Watch("", [&wakes] { ++wakes; });
  auto news = control_.NextFor(*watch);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->changed(0).name(), "alpha");
  EXPECT_TRUE(news->synced());
  EXPECT_FALSE(control_.NextFor(*watch));

  ASSERT_TRUE(Add("b").ok());
  ASSERT_TRUE(Add("c").ok());
  EXPECT_EQ(wakes, 1);
  news = control_.NextFor(*watch);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->changed(0).shard_map().slots_size(), 3);  // the latest alone
  EXPECT_FALSE(control_.NextFor(*watch));

  store_.observer().OnDeleted("alpha");
  EXPECT_THAT(control_.NextFor(*watch)->removed(), ElementsAre("alpha"));
}

TEST_F(ControlPlaneTest, PoolsAreListedPageByPage) {
  for (const char* name : {"b", "a", "c"}) ASSERT_TRUE(Create(name, SpecWith({"s"})).ok());
  v1::ListPoolsRequest request;
  request.set_page_size(2);
  v1::ListPoolsResponse page = *control_.ListPools(request);
  ASSERT_EQ(page.pools_size(), 2);
  EXPECT_EQ(page.pools(0).name(), "a");
  request.set_page_token(page.next_page_token());
  page = *control_.ListPools(request);
  ASSERT_EQ(page.pools_size(), 1);
  EXPECT_EQ(page.pools(0).name(), "c");
  EXPECT_THAT(page.next_page_token(), IsEmpty());
  request.set_page_token("!");
  EXPECT_TRUE(absl::IsInvalidArgument(control_.ListPools(request).status()));
}

TEST_F(ControlPlaneTest, TheProxiesOfAPoolAreThoseOfItsFleetWithWhatConcernsThePool) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  FakeProxy proxy(proxies_, cache_, "p1");
  const FakeProxy elsewhere(proxies_, cache_, "p2", "other");
  proxy.Answers();
  ASSERT_TRUE(Create("beta", SpecWith({"b"})).ok());
  Advance(absl::Seconds(1));
  proxy.Answers("no room");

  v1::ListProxiesRequest request;
  EXPECT_EQ(control_.ListProxies(request)->proxies_size(), 2);
  request.set_pool("alpha");
  const v1::ListProxiesResponse list = *control_.ListProxies(request);
  ASSERT_EQ(list.proxies_size(), 1);
  EXPECT_EQ(list.proxies(0).node().id(), "p1");
  EXPECT_TRUE(list.proxies(0).in_sync());
  EXPECT_EQ(list.proxies(0).errors_size(), 0);
  request.set_fleet("other");
  EXPECT_EQ(control_.ListProxies(request)->proxies_size(), 0);
  request.set_pool("nobody");
  EXPECT_TRUE(absl::IsNotFound(control_.ListProxies(request).status()));
}

TEST_F(ControlPlaneTest, AStatusCountsTheProxiesThatServeThePoolAsItIs) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  const auto proxies = [this] {
    const v1::PoolProxies found = control_.ListPools({})->pools(0).status().proxies();
    return std::vector{found.connected(), found.up_to_date(), found.refusing()};
  };
  EXPECT_THAT(proxies(), ElementsAre(0u, 0u, 0u));
  FakeProxy first(proxies_, cache_, "p1");
  const FakeProxy elsewhere(proxies_, cache_, "p2", "other");
  EXPECT_THAT(proxies(), ElementsAre(1u, 0u, 0u));
  first.Answers();
  EXPECT_THAT(proxies(), ElementsAre(1u, 1u, 0u));
  ASSERT_TRUE(Add("b").ok());
  Advance(absl::Seconds(1));
  FakeProxy second(proxies_, cache_, "p3");
  first.Answers("no room");
  second.Answers();
  EXPECT_THAT(proxies(), ElementsAre(2u, 1u, 1u));
}

TEST_F(ControlPlaneTest, AKeyIsExplainedAsItIsAndAsProposed) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  v1::ExplainKeyRequest request;
  request.set_pool("alpha");
  request.set_key("foo");
  request.add_proposed_slots()->set_name("z");
  const auto answer = control_.ExplainKey(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->hash_input(), "foo");
  EXPECT_EQ(answer->now().shard(), "a");
  EXPECT_THAT(answer->now().addresses(), ElementsAre("127.0.0.1:6379"));
  EXPECT_EQ(answer->proposed().shard(), "z");
  request.set_pool("beta");
  EXPECT_THAT(control_.ExplainKey(request).status().ToString(), HasSubstr("no pool 'beta'"));
}

}  // namespace
}  // namespace weir
