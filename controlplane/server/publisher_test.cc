#include "controlplane/server/publisher.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Moment kStart = Moment() + std::chrono::hours(1);

class PublisherTest : public ::testing::Test {
 protected:
  // A state of pool "alpha" whose ring has one shard of this name.
  static PoolPtr State(const std::string& shard, uint64_t generation,
                       const std::string& fleet = "blue") {
    PoolState state;
    v1::PoolRecord& record = state.stored.record;
    record.set_name("alpha");
    record.set_uid("uid-1");
    record.mutable_spec()->set_fleet(fleet);
    record.mutable_shard_map()->set_generation(generation);
    v1::Slot& slot = *record.mutable_shard_map()->add_slots();
    slot.set_name(shard);
    slot.set_state(v1::SLOT_ACTIVE);
    state.resources = ResourcesOf(record, {});
    return std::make_shared<const PoolState>(std::move(state));
  }

  void Sets(PoolPtr state, absl::Duration at) {
    publisher_.SetPool("alpha", std::move(state), kStart + absl::ToChronoNanoseconds(at));
  }
  // When RunDue wants to be called next, since the start.
  absl::Duration Runs(absl::Duration at) {
    const Moment next = publisher_.RunDue(kStart + absl::ToChronoNanoseconds(at));
    return next == kNever ? absl::InfiniteDuration() : absl::FromChrono(next - kStart);
  }

  // The shard that the fleet sees, "none" without the pool.
  std::string Published(const std::string& fleet = "blue") const {
    const ResourcePtr pool = cache_.View(fleet)->Find(PoolId("alpha"));
    return pool == nullptr ? "none" : pool->message.pool().slots(0).name();
  }

  void Awaits(const PoolPtr& state, absl::Duration deadline) {
    publisher_.Await({.fleet = "blue",
                      .pool = "alpha",
                      .targets = {AckTargetOf(state->resources.pool)},
                      .deadline = kStart + absl::ToChronoNanoseconds(deadline),
                      .done = [this](const std::vector<v1::ProxyResult>& results) {
                        std::string line = "done";
                        for (const v1::ProxyResult& result : results) {
                          StrAppend(&line, " ", result.node_id(), " ",
                                    v1::ProxyOutcome_Name(result.outcome()));
                        }
                        answers_.push_back(line);
                      }});
  }

  // A proxy of the fleet comes.
  ProxyPtr Joins() {
    auto proxy = std::make_shared<ProxyState>("127.0.0.1:1", absl::UnixEpoch(), false);
    v1::Node node;
    node.set_id("p1");
    node.set_fleet("blue");
    proxy->Open(node, {});
    proxies_.Join(proxy);
    return proxy;
  }
  void Acks(const ProxyPtr& proxy) {
    const Difference difference = proxy->Missing(*cache_.View("blue"), 1 << 20);
    proxy->Answer(difference.changed, difference.removed, {});
    proxies_.Answered(*proxy);
  }

  ResourceCache cache_;
  ProxyRegistry proxies_;
  int wakes_ = 0;
  std::vector<std::string> answers_;
  Publisher publisher_{cache_, proxies_, [this] { ++wakes_; }};
};

TEST_F(PublisherTest, WaitsForRestAndPublishesTheLastState) {
  EXPECT_EQ(Runs(absl::ZeroDuration()), absl::InfiniteDuration());
  Sets(State("a", 1), absl::ZeroDuration());
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(Runs(absl::Milliseconds(60)), absl::Milliseconds(100));
  Sets(State("b", 2), absl::Milliseconds(60));
  EXPECT_EQ(Runs(absl::Milliseconds(100)), absl::Milliseconds(160));
  EXPECT_EQ(Published(), "none");
  EXPECT_EQ(Runs(absl::Milliseconds(160)), absl::InfiniteDuration());
  EXPECT_EQ(Published(), "b");
}

TEST_F(PublisherTest, PublishesAPoolThatNeverRestsAfterASecond) {
  for (int i = 0; i < 20; ++i) {
    const absl::Duration at = absl::Milliseconds(50 * i);
    Sets(State(StrCat("s", i), static_cast<uint64_t>(i) + 1), at);
    Runs(at);
    EXPECT_EQ(Published(), "none");
  }
  Runs(absl::Seconds(1));
  EXPECT_EQ(Published(), "s19");
}

TEST_F(PublisherTest, APoolThatMovesIsInOneFleetAndADeletedOneInNone) {
  Sets(State("a", 1), absl::ZeroDuration());
  Runs(absl::Seconds(1));
  Sets(State("a", 2, "green"), absl::Seconds(1));
  Runs(absl::Seconds(2));
  EXPECT_EQ(Published("blue"), "none");
  EXPECT_EQ(Published("green"), "a");
  // Its old proxies learn as of which state.
  EXPECT_EQ(cache_.View("blue")->places->RemovalOf(PoolId("alpha"))->generation(), 2u);
  Sets(nullptr, absl::Seconds(2));
  Runs(absl::Seconds(3));
  EXPECT_EQ(Published("green"), "none");
}

TEST_F(PublisherTest, AWaitBeginsWhenThePoolIsPublishedAndEndsWithTheAnswer) {
  const ProxyPtr proxy = Joins();
  const PoolPtr state = State("a", 1);
  Sets(state, absl::ZeroDuration());
  Awaits(state, absl::Seconds(9));
  Acks(proxy);  // of nothing yet
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_EQ(Runs(absl::Milliseconds(100)), absl::Seconds(9));
  Acks(proxy);
  EXPECT_THAT(answers_, ElementsAre("done p1 PROXY_ACKED"));
  EXPECT_EQ(Runs(absl::Seconds(9)), absl::InfiniteDuration());
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(PublisherTest, AWaitEndsAtItsDeadline) {
  Joins();
  const PoolPtr state = State("a", 1);
  Sets(state, absl::ZeroDuration());
  Awaits(state, absl::Seconds(2));
  Runs(absl::Seconds(1));
  EXPECT_THAT(answers_, IsEmpty());
  Runs(absl::Seconds(2));
  EXPECT_THAT(answers_, ElementsAre("done p1 PROXY_TIMEOUT"));
}

TEST_F(PublisherTest, AWaitWithoutProxiesEndsAtOnce) {
  const PoolPtr state = State("a", 1);
  Awaits(state, absl::Seconds(2));
  EXPECT_THAT(answers_, ElementsAre("done"));
}

TEST_F(PublisherTest, EndWaitsEndsThoseThatArePublishedThoseThatAreNotAndLaterOnes) {
  Joins();
  const PoolPtr state = State("a", 1);
  Sets(state, absl::ZeroDuration());
  Awaits(state, absl::Seconds(9));
  Runs(absl::Seconds(1));
  Sets(State("a", 2), absl::Seconds(1));
  Awaits(state, absl::Seconds(9));
  EXPECT_THAT(answers_, IsEmpty());
  publisher_.EndWaits();
  EXPECT_THAT(answers_, ElementsAre("done p1 PROXY_TIMEOUT", "done p1 PROXY_TIMEOUT"));
  Awaits(state, absl::Seconds(9));
  EXPECT_EQ(answers_.size(), 3u);
}

}  // namespace
}  // namespace weir
