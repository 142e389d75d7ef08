#include "controlplane/cache/resource_cache.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Lines(const FleetView& view) {
  std::vector<std::string> lines;
  for (const ResourcePtr& resource : view.resources) lines.push_back(Line(resource->message));
  return lines;
}

TEST(ResourceCacheTest, KeepsTheLatestOfEachPoolByFleet) {
  ResourceCache cache;
  cache.SetPool("blue", NewPool("beta", "p1"), NewEndpoints("beta", "e1"));
  cache.SetPool("blue", NewPool("alpha", "p2"), NewEndpoints("alpha", "e2"));
  cache.SetPool("green", NewPool("gamma", "p3"), NewEndpoints("gamma", "e3"));
  cache.SetPool("blue", NewPool("beta", "p4", {.generation = 2}), NewEndpoints("beta", "e1"));
  EXPECT_THAT(Lines(*cache.View("blue")), ElementsAre("pool alpha p2", "endpoints alpha e2",
                                                      "pool beta p4", "endpoints beta e1"));
  EXPECT_THAT(Lines(*cache.View("green")), ElementsAre("pool gamma p3", "endpoints gamma e3"));
  EXPECT_THAT(Lines(*cache.View("red")), IsEmpty());

  cache.RemovePool("blue", "alpha");
  cache.RemovePool("blue", "alpha");
  cache.RemovePool("green", "beta");
  EXPECT_THAT(Lines(*cache.View("blue")), ElementsAre("pool beta p4", "endpoints beta e1"));
}

TEST(ResourceCacheTest, AFleetHasTheSecretsThatItsPoolsReferTo) {
  ResourceCache cache;
  cache.SetSecret(NewSecret("used", "s1"));
  cache.SetSecret(NewSecret("unused", "s2"));
  cache.SetPool("blue", NewPool("alpha", "p1", {}, "used"), NewEndpoints("alpha", "e1"));
  cache.SetPool("blue", NewPool("beta", "p2", {}, "used"), NewEndpoints("beta", "e2"));
  cache.SetPool("green", NewPool("gamma", "p3"), NewEndpoints("gamma", "e3"));
  EXPECT_THAT(Lines(*cache.View("blue")),
              ElementsAre("secret used s1", "pool alpha p1", "endpoints alpha e1", "pool beta p2",
                          "endpoints beta e2"));
  EXPECT_THAT(Lines(*cache.View("green")), ElementsAre("pool gamma p3", "endpoints gamma e3"));

  cache.SetSecret(NewSecret("used", "s3"));
  EXPECT_EQ(cache.View("blue")->Find(SecretId("used"))->version(), "s3");
  cache.RemoveSecret("used");
  EXPECT_EQ(cache.View("blue")->Find(SecretId("used")), nullptr);
}

TEST(ResourceCacheTest, AViewStaysAsItIsWhenTheCacheMovesOn) {
  ResourceCache cache;
  cache.SetPool("blue", NewPool("alpha", "p1"), NewEndpoints("alpha", "e1"));
  const FleetViewPtr before = cache.View("blue");
  cache.SetPool("blue", NewPool("alpha", "p1"), NewEndpoints("alpha", "e2"));
  EXPECT_THAT(Lines(*before), ElementsAre("pool alpha p1", "endpoints alpha e1"));
  // What has not changed is shared.
  EXPECT_EQ(before->Find(PoolId("alpha")), cache.View("blue")->Find(PoolId("alpha")));
}

TEST(ResourceCacheTest, WakesAWatchOnceUntilItLooks) {
  ResourceCache cache;
  int wakes = 0;
  const auto watch = cache.Watch("blue", [&] { ++wakes; });
  EXPECT_THAT(Lines(*watch->Take()), IsEmpty());
  EXPECT_EQ(wakes, 0);

  cache.SetPool("blue", NewPool("alpha", "p1"), NewEndpoints("alpha", "e1"));
  cache.SetPool("blue", NewPool("alpha", "p2"), NewEndpoints("alpha", "e1"));
  cache.SetPool("blue", NewPool("alpha", "p3"), NewEndpoints("alpha", "e1"));
  EXPECT_EQ(wakes, 1);
  EXPECT_THAT(Lines(*watch->Take()), ElementsAre("pool alpha p3", "endpoints alpha e1"));

  cache.RemovePool("blue", "alpha");
  EXPECT_EQ(wakes, 2);
  EXPECT_THAT(Lines(*watch->Take()), IsEmpty());
}

TEST(ResourceCacheTest, WakesNobodyForAnotherFleetOrForTheSameAgain) {
  ResourceCache cache;
  cache.SetPool("blue", NewPool("alpha", "p1", {}, "key"), NewEndpoints("alpha", "e1"));
  cache.SetSecret(NewSecret("key", "s1"));
  int wakes = 0;
  const auto watch = cache.Watch("blue", [&] { ++wakes; });
  cache.SetPool("blue", NewPool("alpha", "p1", {}, "key"), NewEndpoints("alpha", "e1"));
  cache.SetPool("green", NewPool("beta", "p2"), NewEndpoints("beta", "e2"));
  cache.SetSecret(NewSecret("key", "s1"));
  cache.SetSecret(NewSecret("other", "s2"));
  cache.RemoveSecret("other");
  cache.RemovePool("blue", "beta");
  EXPECT_EQ(wakes, 0);
  cache.SetSecret(NewSecret("key", "s3"));
  EXPECT_EQ(wakes, 1);
}

TEST(ResourceCacheTest, AWatchThatHasEndedIsNotWoken) {
  ResourceCache cache;
  int wakes = 0;
  int wakes_of_others = 0;
  const auto before = cache.Watch("blue", [&] { ++wakes_of_others; });
  auto watch = cache.Watch("blue", [&] { ++wakes; });
  const auto after = cache.Watch("blue", [&] { ++wakes_of_others; });
  watch.reset();
  cache.SetPool("blue", NewPool("alpha", "p1"), NewEndpoints("alpha", "e1"));
  EXPECT_EQ(wakes, 0);
  EXPECT_EQ(wakes_of_others, 2);
}

// Each reader looks only when it is woken; none may miss the last state.
TEST(ResourceCacheTest, ReadersOnOtherThreadsEndWithTheLastState) {
  constexpr int kChanges = 200;
  const std::string last = StrCat("p", kChanges);
  ResourceCache cache;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      std::atomic<bool> woken{true};
      const auto watch = cache.Watch("blue", [&] {
        woken = true;
        woken.notify_one();
      });
      for (std::string seen; seen != last;) {
        woken.wait(false);
        woken = false;
        const ResourcePtr pool = watch->Take()->Find(PoolId("alpha"));
        if (pool != nullptr) seen = pool->version();
      }
    });
  }
  for (int i = 1; i <= kChanges; ++i) {
    cache.SetPool("blue", NewPool("alpha", StrCat("p", i)), NewEndpoints("alpha", "e1"));
    const auto short_lived = cache.Watch("blue", [] {});
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(CachedResourceTest, EncodedPiecesPutTogetherAreTheResponse) {
  const ResourcePtr pool = MakeCached(NewPool("alpha", "p1"));
  const ResourcePtr endpoints = MakeCached(NewEndpoints("alpha", "e1"));
  v1::DiscoveryResponse response;
  ASSERT_TRUE(response.ParseFromString(pool->encoded + endpoints->encoded));
  EXPECT_THAT(weir::Lines(response), ElementsAre("pool alpha p1", "endpoints alpha e1"));
}

TEST(CachedResourceTest, ASystemVersionTellsVersionsNamesAndOrderApart) {
  const auto version_of = [](const std::vector<v1::Resource>& resources) {
    SystemVersion version;
    for (const v1::Resource& resource : resources) version.Add(*MakeCached(resource));
    return version.ToString();
  };
  const std::string one = version_of({NewPool("alpha", "p1"), NewPool("beta", "p2")});
  // Generations are not part of it: the content is the same.
  EXPECT_EQ(one, version_of({NewPool("alpha", "p1", {.generation = 7}), NewPool("beta", "p2")}));
  EXPECT_NE(one, version_of({NewPool("alpha", "p2"), NewPool("beta", "p1")}));
  EXPECT_NE(one, version_of({NewPool("alpha", "p1"), NewPool("gamma", "p2")}));
  EXPECT_NE(one, version_of({NewPool("alpha", "p1")}));
  EXPECT_NE(one, version_of({NewPool("alpha", "p1"), NewEndpoints("beta", "p2")}));
  // A change here makes replicas of two releases disagree.
  EXPECT_EQ(version_of({}), "0000000000000000");
}

}  // namespace
}  // namespace weir
