#include "controlplane/cache/proxy_registry.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/cache/resource_cache.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const ResourcePtr kOld = MakeCached(NewPool("alpha", "p1", {.generation = 1}));
const ResourcePtr kNew = MakeCached(NewPool("alpha", "p2", {.generation = 2}));

ProxyPtr NewProxy(std::string_view id, std::set<std::string, std::less<>> pools = {},
                  std::string_view fleet = "blue") {
  auto proxy = std::make_shared<ProxyState>("192.0.2.1:4711", absl::UnixEpoch(), true);
  v1::DiscoveryRequest first;
  first.mutable_node()->set_id(std::string(id));
  first.mutable_node()->set_fleet(std::string(fleet));
  *first.add_held() = Held(kOld->id, kOld->version());
  proxy->Open(first.node(), first.held());
  proxy->Subscribe(std::move(pools));
  return proxy;
}

class ProxyRegistryTest : public ::testing::Test {
 protected:
  ProxyPtr Joins(std::string_view id, std::set<std::string, std::less<>> pools = {},
                 std::string_view fleet = "blue") {
    ProxyPtr proxy = NewProxy(id, std::move(pools), fleet);
    registry_.Join(proxy);
    return proxy;
  }

  ProxyPtr JoinsAs(std::string_view id, std::string instance) {
    ProxyPtr proxy = NewProxy(id);
    twin_ = registry_.Join(proxy, std::move(instance));
    return proxy;
  }

  // The proxy has answered a response with the new state.
  void Acks(const ProxyPtr& proxy) { Answers(proxy, {}); }
  void Nacks(const ProxyPtr& proxy, std::string_view reason) {
    v1::Ack ack;
    *ack.add_errors() = ErrorOf(kNew->id, "", reason);
    Answers(proxy, ack);
  }
  void Answers(const ProxyPtr& proxy, const v1::Ack& ack) {
    const std::vector<ResourcePtr> changed = {kNew};
    proxy->Answer(changed, {}, ack);
    registry_.Answered(*proxy);
  }

  // Waits for the new state of the pool; results_ are lines then.
  std::unique_ptr<AckWait> Awaits() {
    return registry_.AwaitAcks(
        "blue", "alpha", {AckTargetOf(kNew->message)},
        [this](const std::vector<v1::ProxyResult>& results) {
          ++done_;
          results_.clear();
          for (const v1::ProxyResult& result : results) {
            results_.push_back(StrCat(result.node_id(), " ",
                                      v1::ProxyOutcome_Name(result.outcome()), result.reason()));
          }
        });
  }

  ProxyRegistry registry_;
  ProxyPtr twin_;  // of the last that joined as an instance
  int done_ = 0;
  std::vector<std::string> results_;
};

TEST_F(ProxyRegistryTest, ListsByFleetAndNodeId) {
  Joins("b");
  Joins("a", {"alpha"});
  Joins("c", {"beta"}, "green");
  const auto ids = [](const std::vector<ProxyPtr>& proxies) {
    std::vector<std::string> result;
    for (const ProxyPtr& proxy : proxies) result.push_back(proxy->node_id());
    return result;
  };
  EXPECT_THAT(ids(registry_.Connected()), ElementsAre("a", "b", "c"));
  EXPECT_THAT(ids(registry_.Connected("green")), ElementsAre("c"));
  EXPECT_THAT(ids(registry_.Connected("", "beta")), ElementsAre("b", "c"));
  EXPECT_THAT(ids(registry_.Connected("blue", "alpha")), ElementsAre("a", "b"));
}

TEST_F(ProxyRegistryTest, AWaitEndsWithTheLastAnswer) {
  const ProxyPtr a = Joins("a");
  const ProxyPtr b = Joins("b", {"alpha"});
  const ProxyPtr other_pool = Joins("c", {"beta"});
  const ProxyPtr other_fleet = Joins("d", {}, "green");
  const auto wait = Awaits();
  Nacks(b, "in use");
  EXPECT_EQ(done_, 0);
  Acks(a);
  EXPECT_EQ(done_, 1);
  EXPECT_THAT(results_, ElementsAre("a PROXY_ACKED", "b PROXY_NACKEDin use"));
  wait->Expire();
  EXPECT_EQ(done_, 1);
}

TEST_F(ProxyRegistryTest, AWaitForNobodyOrForWhatIsHeldEndsAtOnce) {
  {
    const auto wait = Awaits();
    EXPECT_EQ(done_, 1);
    EXPECT_THAT(results_, IsEmpty());
  }
  Acks(Joins("a"));
  const auto wait = Awaits();
  EXPECT_EQ(done_, 2);
  EXPECT_THAT(results_, ElementsAre("a PROXY_ACKED"));
}

TEST_F(ProxyRegistryTest, AProxyThatLeavesIsGone) {
  const ProxyPtr a = Joins("a");
  const auto wait = Awaits();
  registry_.Leave(*a);
  EXPECT_THAT(results_, ElementsAre("a PROXY_GONE"));
  EXPECT_THAT(registry_.Connected(), IsEmpty());
}

TEST_F(ProxyRegistryTest, AProxyThatWantsThePoolNoMoreIsGone) {
  const ProxyPtr a = Joins("a");
  const auto wait = Awaits();
  a->Subscribe({"beta"});
  registry_.Answered(*a);
  EXPECT_THAT(results_, ElementsAre("a PROXY_GONE"));
}

TEST_F(ProxyRegistryTest, WhoHasNotAnsweredInTimeIsTimeout) {
  const ProxyPtr a = Joins("a");
  const ProxyPtr b = Joins("b");
  const auto wait = Awaits();
  Acks(b);
  wait->Expire();
  EXPECT_THAT(results_, ElementsAre("a PROXY_TIMEOUT", "b PROXY_ACKED"));
  Acks(a);
  EXPECT_EQ(done_, 1);
}

TEST_F(ProxyRegistryTest, WhoHoldsTheContentAlreadyIsNoTimeoutAlthoughNothingWasSent) {
  const ProxyPtr a = Joins("a");
  ResourceCache cache;
  cache.SetPool("blue", NewPool("alpha", "p1", {.generation = 3}), NewEndpoints("alpha", "e1"));
  const auto wait = Awaits();  // for generation 2, which was taken back before it was sent
  EXPECT_EQ(done_, 0);
  a->Missing(*cache.View("blue"), 1 << 20);
  wait->Expire();
  EXPECT_THAT(results_, ElementsAre("a PROXY_ACKED"));
}

TEST_F(ProxyRegistryTest, ACancelledWaitIsNeverDone) {
  const ProxyPtr a = Joins("a");
  auto wait = Awaits();
  wait.reset();
  Acks(a);
  EXPECT_EQ(done_, 0);
}

TEST_F(ProxyRegistryTest, WhoComesLaterIsNotWaitedFor) {
  const ProxyPtr a = Joins("a");
  const auto wait = Awaits();
  Joins("b");
  Acks(a);
  EXPECT_THAT(results_, ElementsAre("a PROXY_ACKED"));
}

TEST_F(ProxyRegistryTest, AProxyThatComesAgainTakesThePlaceOfItsDeadConnection) {
  const ProxyPtr dead = Joins("a");
  const auto wait = Awaits();
  const ProxyPtr alive = Joins("a");
  EXPECT_THAT(results_, ElementsAre("a PROXY_GONE"));
  EXPECT_THAT(registry_.Connected(), ElementsAre(alive));
  // Its end is found late and takes nothing of the new one away.
  registry_.Leave(*dead);
  EXPECT_THAT(registry_.Connected(), ElementsAre(alive));
}

TEST_F(ProxyRegistryTest, TwoProxiesOfOneNodeIdAreBothListedAndWaitedFor) {
  const ProxyPtr first = JoinsAs("a", "1");
  EXPECT_EQ(twin_, nullptr);
  const ProxyPtr second = JoinsAs("a", "2");
  EXPECT_EQ(twin_, first);
  EXPECT_THAT(registry_.Connected(), UnorderedElementsAre(first, second));
  const auto wait = Awaits();
  Acks(second);
  EXPECT_EQ(done_, 0);
  Nacks(first, "in use");
  EXPECT_THAT(results_, UnorderedElementsAre("a PROXY_ACKED", "a PROXY_NACKEDin use"));
  registry_.Leave(*second);
  EXPECT_THAT(registry_.Connected(), ElementsAre(first));
}

TEST_F(ProxyRegistryTest, AProcessThatComesAgainIsNoTwinOfItsDeadConnection) {
  const ProxyPtr dead = JoinsAs("a", "1");
  const auto wait = Awaits();
  const ProxyPtr alive = JoinsAs("a", "1");
  EXPECT_EQ(twin_, nullptr);
  EXPECT_THAT(results_, ElementsAre("a PROXY_GONE"));
  EXPECT_THAT(registry_.Connected(), ElementsAre(alive));
}

}  // namespace
}  // namespace weir
