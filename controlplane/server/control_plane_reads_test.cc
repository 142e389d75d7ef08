#include "controlplane/server/control_plane.h"

#include <string>
#include <vector>

#include "controlplane/server/control_plane_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using ControlPlaneReadsTest = ControlPlaneTest;

TEST_F(ControlPlaneReadsTest, VersionsThatWouldMakeTooLargeAnAnswerAreOnTheNextPage) {
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

TEST_F(ControlPlaneReadsTest, VersionsAreListedPageByPageNewestFirst) {
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

TEST_F(ControlPlaneReadsTest, AWatchOfLargePoolsIsToldInSeveralMessages) {
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

TEST_F(ControlPlaneReadsTest, AWatchSeesWhatIsThereThenEveryChangeThenNothing) {
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

TEST_F(ControlPlaneReadsTest, AWatchSaysOfAPoolWhatListPoolsSaysOfItsProxies) {
  ASSERT_TRUE(Create("alpha", SpecWith({"a"})).ok());
  Advance(absl::Seconds(1));
  const auto watch = control_.Watch("", [] {});
  auto news = control_.NextFor(*watch);
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->changed(0).status().has_proxies());
  EXPECT_EQ(news->changed(0).status().proxies().connected(), 0u);

  FakeProxy proxy(proxies_, cache_, "p1");
  control_.CompareWatches();
  news = control_.NextFor(*watch);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->changed(0).status().proxies().connected(), 1u);
  EXPECT_EQ(news->changed(0).status().proxies().refusing(), 0u);

  proxy.Answers("cannot listen");
  control_.CompareWatches();
  news = control_.NextFor(*watch);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->changed(0).status().proxies().refusing(), 1u);
  control_.CompareWatches();
  EXPECT_FALSE(control_.NextFor(*watch));
}

TEST_F(ControlPlaneReadsTest, AMissingSecretIsShownAndToldUntilItIsThere) {
  v1::PoolSpec spec = SpecWith({"a"});
  spec.mutable_policy()->set_redis_auth_secret("auth");
  const absl::StatusOr<v1::ChangeResponse> made = Create("alpha", spec);
  ASSERT_TRUE(made.ok());
  const auto missing = ElementsAre("secret auth is not in the secrets directory");
  EXPECT_THAT(made->pool().status().waiting(), missing);
  control_.ReportWaits();
  const auto watch = control_.Watch("", [] {});
  EXPECT_THAT(control_.NextFor(*watch)->changed(0).status().waiting(), missing);
  control_.ReportWaits();
  EXPECT_FALSE(control_.NextFor(*watch));

  v1::Resource secret;
  secret.mutable_key()->set_type(v1::RESOURCE_SECRET);
  secret.mutable_key()->set_name("auth");
  secret.mutable_secret()->set_value("password");
  cache_.SetSecret(secret);
  control_.ReportWaits();
  const auto news = control_.NextFor(*watch);
  ASSERT_TRUE(news);
  EXPECT_EQ(news->changed(0).status().waiting_size(), 0);
}

TEST_F(ControlPlaneReadsTest, PoolsAreListedPageByPage) {
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

TEST_F(ControlPlaneReadsTest, TheProxiesOfAPoolAreThoseOfItsFleetWithWhatConcernsThePool) {
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

TEST_F(ControlPlaneReadsTest, AStatusCountsTheProxiesThatServeThePoolAsItIs) {
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

TEST_F(ControlPlaneReadsTest, AKeyIsExplainedAsItIsAndAsProposed) {
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
