#include "controlplane/cache/proxy_state.h"

#include <optional>
#include <string>
#include <vector>

#include "controlplane/cache/resource_cache.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000) + absl::Milliseconds(5);

class ProxyStateTest : public ::testing::Test {
 protected:
  ProxyStateTest() : proxy_("192.0.2.1:4711", kNow, /*secure=*/true) {
    v1::DiscoveryRequest first;
    first.mutable_node()->set_id("proxy-1");
    first.mutable_node()->set_fleet("blue");
    *first.add_held() = Held(PoolId("alpha"), "p1");
    *first.add_held() = Held(EndpointsId("alpha"), "e1");
    proxy_.Open(first.node(), first.held());
    Has("p1", "e1", 1);
  }

  // What the control plane has.
  void Has(std::string_view pool, std::string_view endpoints, uint64_t generation) {
    cache_.SetPool("blue", NewPool("alpha", pool, {.generation = generation}),
                   NewEndpoints("alpha", endpoints, {.generation = generation}));
  }

  // What the proxy misses is sent and answered.
  AckResult Answers(const v1::Ack& ack) {
    const Difference difference = proxy_.Missing(*cache_.View("blue"), 1 << 20);
    return proxy_.Answer(difference.changed, difference.removed, ack);
  }
  AckResult Refuses(v1::ResourceError error) {
    v1::Ack ack;
    *ack.add_errors() = std::move(error);
    return Answers(ack);
  }
  AckResult FindsStale(const ResourceId& id) {
    v1::Ack ack;
    *ack.add_stale() = KeyOf(id);
    return Answers(ack);
  }

  // "ACKED", "NACKED reason" or "pending".
  std::string OutcomeOf(const v1::Resource& resource) { return OutcomeOf(AckTargetOf(resource)); }
  std::string OutcomeOf(const AckTarget& target) {
    const std::vector<AckTarget> targets = {target};
    const std::optional<v1::ProxyResult> result = proxy_.OutcomeOf(targets);
    if (!result.has_value()) return "pending";
    EXPECT_EQ(result->node_id(), "proxy-1");
    if (result->outcome() == v1::PROXY_ACKED) return "ACKED";
    EXPECT_EQ(result->outcome(), v1::PROXY_NACKED);
    return StrCat("NACKED ", result->reason());
  }

  v1::Proxy Described(std::string_view pool = {}) {
    return proxy_.Describe(*cache_.View("blue"), pool);
  }

  ResourceCache cache_;
  ProxyState proxy_;
};

TEST_F(ProxyStateTest, AnOutcomeIsPendingUntilTheProxyAnswers) {
  Has("p2", "e1", 2);
  const v1::Resource target = NewPool("alpha", "p2", {.generation = 2});
  EXPECT_EQ(OutcomeOf(target), "pending");
  EXPECT_EQ(Answers({}).taken, 1);
  EXPECT_EQ(OutcomeOf(target), "ACKED");
  // It never had the one before, and does not need it any more.
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p1b", {.generation = 1})), "ACKED");
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p3", {.generation = 3})), "pending");
}

TEST_F(ProxyStateTest, AChangeThatLeavesTheContentAloneIsAckedAtOnce) {
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p1", {.generation = 2})), "ACKED");
}

TEST_F(ProxyStateTest, ARefusalNamesItsReasonUntilSomethingBetterIsTaken) {
  Has("p2", "e1", 2);
  const v1::Resource target = NewPool("alpha", "p2", {.generation = 2});
  Refuses(ErrorOf(PoolId("alpha"), "policy.listen", "in use"));
  EXPECT_EQ(OutcomeOf(target), "NACKED policy.listen: in use");
  // What was in force before still is.
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p1")), "ACKED");
  EXPECT_THAT(Described().errors(), SizeIs(1));
  EXPECT_THAT(Described().applied(), SizeIs(2));

  Has("p3", "e1", 3);
  Answers({});
  EXPECT_EQ(OutcomeOf(target), "ACKED");
  EXPECT_THAT(Described().errors(), IsEmpty());
}

TEST_F(ProxyStateTest, ARefusalIsForgottenWhenTheOldStateIsTheLatestAgain) {
  Has("p2", "e1", 2);
  Refuses(ErrorOf(PoolId("alpha"), "", "no"));
  EXPECT_FALSE(Described().in_sync());
  Has("p1", "e1", 3);
  EXPECT_TRUE(proxy_.Missing(*cache_.View("blue"), 1 << 20).empty());
  EXPECT_THAT(Described().errors(), IsEmpty());
  EXPECT_TRUE(Described().in_sync());
}

TEST_F(ProxyStateTest, AfterABackupIsRestoredNobodyVouchesForAProxyThatLeavesAChangeAlone) {
  Has("p0", "e1", 40);
  v1::Ack ack;
  *ack.add_stale() = KeyOf(PoolId("alpha"));
  v1::HeldState& newer = *ack.add_newer();
  *newer.mutable_key() = KeyOf(PoolId("alpha"));
  newer.set_uid("uid-1");
  newer.set_generation(43);
  EXPECT_EQ(Answers(ack).stale.size(), 1u);
  const std::string why =
      "the proxy holds generation 43, newer than 40: see docs/control_plane.md, \"Backups\"";
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p0", {.generation = 40})), StrCat("NACKED ", why));
  ASSERT_EQ(Described().errors_size(), 1);
  EXPECT_EQ(Described().errors(0).error_detail(), why);
  EXPECT_FALSE(Described().in_sync());
  // The next change is not judged before it is answered.
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p9", {.generation = 44})), "pending");
  Has("p9", "e1", 44);
  Answers({});
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p9", {.generation = 44})), "ACKED");
  EXPECT_THAT(Described().errors(), IsEmpty());
}

TEST_F(ProxyStateTest, AnOlderPoolOfTheSameNameIsNackedAndSoIsOneLeftAloneWithoutAWord) {
  Has("p0", "e1", 40);
  v1::Ack ack;
  *ack.add_stale() = KeyOf(PoolId("alpha"));
  *ack.add_newer()->mutable_key() = KeyOf(PoolId("alpha"));
  ack.mutable_newer(0)->set_uid("uid-2");
  Answers(ack);
  EXPECT_THAT(OutcomeOf(NewPool("alpha", "p0", {.generation = 40})),
              HasSubstr("NACKED the proxy holds a pool of this name that was created later"));
  Has("p0", "e1", 41);
  FindsStale(PoolId("alpha"));
  EXPECT_THAT(OutcomeOf(NewPool("alpha", "p0", {.generation = 41})),
              HasSubstr("NACKED the proxy holds a newer state"));
}

TEST_F(ProxyStateTest, ARemovalThatIsLeftAloneAsOlderIsNoRemoval) {
  cache_.RemovePool("blue", "alpha");
  FindsStale(PoolId("alpha"));
  EXPECT_THAT(OutcomeOf(AckTargetOfRemoval(PoolId("alpha"))),
              HasSubstr("NACKED the proxy holds a newer state"));
}

TEST_F(ProxyStateTest, ARemovalIsAckedWhenNothingIsHeld) {
  cache_.RemovePool("blue", "alpha");
  const AckTarget target = AckTargetOfRemoval(PoolId("alpha"));
  EXPECT_EQ(OutcomeOf(target), "pending");
  EXPECT_EQ(Answers({}).taken, 2);
  EXPECT_EQ(OutcomeOf(target), "ACKED");
}

TEST_F(ProxyStateTest, AnswersAboutOthersThanWhatWasSentAreIgnored) {
  Has("p2", "e1", 2);
  Refuses(ErrorOf(PoolId("beta"), "", "no"));
  EXPECT_EQ(OutcomeOf(NewPool("alpha", "p2", {.generation = 2})), "ACKED");
  EXPECT_THAT(Described().errors(), IsEmpty());
}

TEST_F(ProxyStateTest, ErrorTextsAreCutBetweenCharacters) {
  Has("p2", "e1", 2);
  std::string detail(ProxyState::kMaxErrorBytes - 1, 'x');
  Refuses(ErrorOf(PoolId("alpha"), "", detail + "é and more"));
  EXPECT_EQ(Described().errors(0).error_detail(), detail);
}

TEST_F(ProxyStateTest, ADescriptionShowsNothingOfSecrets) {
  cache_.SetSecret(NewSecret("key", "s1"));
  cache_.SetPool("blue", NewPool("alpha", "p2", {}, "key"), NewEndpoints("alpha", "e1"));
  EXPECT_EQ(Answers({}).taken, 2);
  cache_.SetSecret(NewSecret("key", "s2"));
  Refuses(ErrorOf(SecretId("key"), "", "empty"));
  const v1::Proxy proxy = Described();
  EXPECT_THAT(proxy.ShortDebugString(), Not(HasSubstr("\"s")));
  EXPECT_THAT(proxy.applied(), SizeIs(2));
  EXPECT_THAT(proxy.errors(), SizeIs(1));
}

TEST_F(ProxyStateTest, ALargeReportKeepsItsEjectedShards) {
  v1::Report report;
  for (size_t i = 0; i < ProxyState::kMaxReportedShards + 5; ++i) {
    report.add_shards()->set_shard(StrCat("s", i));
  }
  report.mutable_shards(1002)->set_ejected(true);
  proxy_.Reported(report, kNow);
  const v1::Report kept = Described().report();
  EXPECT_EQ(kept.shards_size(), static_cast<int>(ProxyState::kMaxReportedShards));
  EXPECT_EQ(kept.shards(0).shard(), "s1002");
  EXPECT_EQ(kept.shards(1).shard(), "s0");
}

TEST_F(ProxyStateTest, AHostileReportMakesNoDescriptionThatIsTooLargeToBeSent) {
  v1::Report report;
  v1::ShardReport& shard = *report.add_shards();
  shard.set_pool("alpha");
  shard.set_shard(std::string(3'900'000, 'x'));
  shard.set_timeouts(7);
  shard.GetReflection()->MutableUnknownFields(&shard)->AddLengthDelimited(
      999, std::string(1'000'000, 'x'));
  proxy_.Reported(report, kNow);
  EXPECT_LT(Described().ByteSizeLong(), 1000u);
  EXPECT_EQ(Described().report().shards(0).shard(), std::string(ProxyState::kMaxNameBytes, 'x'));
  EXPECT_EQ(Described().report().shards(0).timeouts(), 7u);
}

TEST_F(ProxyStateTest, AHostileNodeMakesNoDescriptionThatIsTooLargeToBeSent) {
  v1::DiscoveryRequest first;
  first.mutable_node()->set_id("proxy-2");
  first.mutable_node()
      ->GetReflection()
      ->MutableUnknownFields(first.mutable_node())
      ->AddLengthDelimited(999, std::string(3'900'000, 'x'));
  for (int i = 0; i < 10'000; ++i) {
    *first.add_held() = Held(PoolId(StrCat(i, std::string(240, 'x'))), std::string(64, 'v'));
  }
  ProxyState proxy("192.0.2.1:4712", kNow, /*secure=*/true);
  proxy.Open(first.node(), first.held());
  EXPECT_LE(proxy.Describe(*cache_.View("blue")).ByteSizeLong(),
            ProxyState::kMaxDescribedBytes + 100'000);
}

TEST_F(ProxyStateTest, ADescriptionForOnePoolShowsNothingOfOthers) {
  cache_.SetSecret(NewSecret("key", "s1"));
  cache_.SetPool("blue", NewPool("beta", "q1", {}, "key"), NewEndpoints("beta", "f1"));
  v1::Ack ack;
  *ack.add_errors() = ErrorOf(PoolId("beta"), "policy.listen", "in use");
  *ack.add_errors() = ErrorOf(SecretId("key"), "", "empty");
  Answers(ack);
  v1::Report report;
  for (const char* pool : {"alpha", "beta", "alpha"}) report.add_shards()->set_pool(pool);
  report.set_sessions(7);
  proxy_.Reported(report, kNow);

  const v1::Proxy alpha = Described("alpha");
  EXPECT_TRUE(alpha.in_sync());
  EXPECT_THAT(alpha.errors(), IsEmpty());
  EXPECT_THAT(alpha.applied(), SizeIs(2));
  EXPECT_THAT(alpha.report().shards(), SizeIs(2));
  EXPECT_EQ(alpha.report().sessions(), 7u);
  const v1::Proxy beta = Described("beta");
  EXPECT_FALSE(beta.in_sync());
  EXPECT_THAT(beta.errors(), SizeIs(2));  // the pool's and its secret's
  EXPECT_THAT(beta.applied(), SizeIs(1));
  EXPECT_THAT(beta.report().shards(), SizeIs(1));
  EXPECT_THAT(Described().errors(), SizeIs(2));
  EXPECT_THAT(Described().report().shards(), SizeIs(3));
}

TEST_F(ProxyStateTest, ADescriptionSaysWhoAndSinceWhen) {
  const v1::Proxy proxy = Described();
  EXPECT_EQ(proxy.node().id(), "proxy-1");
  EXPECT_EQ(proxy.address(), "192.0.2.1:4711");
  EXPECT_EQ(proxy.connected().seconds(), 1'700'000'000);
  EXPECT_EQ(proxy.connected().nanos(), 5'000'000);
  EXPECT_TRUE(proxy.in_sync());
}

// A hostile first request has 45,000 of them, at half a KiB each for the life of the stream.
TEST_F(ProxyStateTest, OfWhatNobodyHasHeardOfOnlyAPartIsRemembered) {
  ProxyState proxy("192.0.2.1:4712", kNow, /*secure=*/false);
  v1::DiscoveryRequest first;
  first.mutable_node()->set_id("proxy-2");
  first.mutable_node()->set_fleet("blue");
  *first.add_held() = Held(PoolId("alpha"), "p1");
  *first.add_held() = Held(EndpointsId("alpha"), "e1");
  for (int i = 0; i < 3000; ++i) *first.add_held() = Held(PoolId(StrCat("unknown-", i)), "x");
  proxy.Open(first.node(), first.held());
  EXPECT_EQ(proxy.Describe(*cache_.View("blue")).applied_size(), 3002);

  EXPECT_TRUE(proxy.Missing(*cache_.View("blue"), 1 << 20).empty());
  const v1::Proxy described = proxy.Describe(*cache_.View("blue"));
  EXPECT_EQ(described.applied_size(), 2 + static_cast<int>(ProxyState::kMaxUnknownHeld));
  EXPECT_FALSE(described.in_sync());
  EXPECT_TRUE(proxy.Describe(*cache_.View("blue"), "alpha").in_sync());

  // One that was forgotten is sent when it comes to be, though the proxy may hold it.
  cache_.SetPool("blue", NewPool("unknown-999", "x", {.generation = 1}),
                 NewEndpoints("unknown-999", "y", {.generation = 1}));
  EXPECT_THAT(proxy.Missing(*cache_.View("blue"), 1 << 20).changed, SizeIs(2));
  // One that is remembered is not.
  cache_.SetPool("blue", NewPool("unknown-0", "x", {.generation = 1}),
                 NewEndpoints("unknown-0", "y", {.generation = 1}));
  EXPECT_THAT(proxy.Missing(*cache_.View("blue"), 1 << 20).changed, SizeIs(3));
}

}  // namespace
}  // namespace weir
