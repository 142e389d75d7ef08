// A proxy that learns its pools from a control plane.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/integration/weir_process.h"
#include "tests/support/discovery.h"
#include "tests/support/fake_control.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"
#include "tests/support/sockets.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Address NewAddress() { return StrCat("127.0.0.1:", FreePort()); }

v1::Resource Pool(std::string_view name, const Address& listen, size_t slots,
                  uint64_t generation = 1) {
  v1::Resource resource = NewResource(PoolId(name), StrCat("p", generation), {generation});
  v1::PoolPolicy& policy = *resource.mutable_pool()->mutable_policy();
  policy.set_listen(listen);
  policy.set_redis(true);
  policy.set_hash("md5");
  for (size_t i = 0; i < slots; ++i) {
    v1::RingSlot& slot = *resource.mutable_pool()->add_slots();
    slot.set_name(StrCat("s", i));
    slot.set_weight(1);
  }
  return resource;
}

// The slots s0, s1, ... at the shards with these indexes.
v1::Resource Places(std::string_view name, const FakeShards& shards,
                    const std::vector<size_t>& indexes, uint64_t generation = 1) {
  v1::Resource resource = NewResource(EndpointsId(name), StrCat("e", generation), {generation});
  for (size_t i = 0; i < indexes.size(); ++i) {
    v1::SlotEndpoints& slot = *resource.mutable_endpoints()->add_slots();
    slot.set_slot(StrCat("s", i));
    slot.add_addresses(shards.address(indexes[i]));
  }
  return resource;
}

class DiscoveredPoolsTest : public ::testing::Test {
 protected:
  static std::string Control(uint16_t port) { return StrCat("--control=127.0.0.1:", port); }

  std::unique_ptr<WeirProcess> StartProxy(const std::string& configuration = "",
                                          std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {Control(port_), "--threads=2"});
    return std::make_unique<WeirProcess>(configuration, flags);
  }

  // A proxy with these flags serves the pool alpha at `address`, by the shard 0, and ends; then the
  // control plane goes away.
  void LeavesAlpha(const Address& address, const std::vector<std::string>& flags) {
    const auto proxy = StartProxy("", flags);
    ASSERT_TRUE(control_.NextFirstRequest().has_value());
    EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
    EXPECT_EQ(proxy->Terminate(), 0);
    control_.Stop();
  }

  // Sends it and gives the proxy's errors, one line each; "no answer" if none comes.
  std::vector<std::string> Answer(const std::vector<v1::Resource>& changed,
                                  const std::vector<ResourceId>& removed = {}) {
    control_.Send(changed, removed);
    const std::optional<v1::Ack> ack = control_.NextAck();
    if (!ack.has_value()) return {"no answer"};
    std::vector<std::string> lines;
    for (const v1::ResourceError& error : ack->errors()) {
      lines.push_back(StrCat(Line(error), ": ", error.field(), ": ", error.error_detail()));
    }
    return lines;
  }

  // The shards that answer for a hundred keys; "?" for what is no shard's answer.
  static std::set<std::string> Shards(RespClient& client) {
    std::set<std::string> shards;
    for (int i = 0; i < 100; ++i) {
      const std::optional<Reply> reply = client.Get(StrCat("key", i));
      shards.insert(reply.has_value() && reply->type == '$' ? reply->text : "?");
    }
    return shards;
  }

  FakeShards shards_{3};
  const uint16_t port_ = FreePort();
  FakeControl control_{port_};
};

TEST_F(DiscoveredPoolsTest, PoolsAppearChangeAndVanishWhileASessionGoesOn) {
  const auto proxy = StartProxy();
  const Address address = NewAddress();
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("0"));

  EXPECT_THAT(Answer({Pool("alpha", address, 2, 2), Places("alpha", shards_, {0, 1}, 2)}),
              IsEmpty());
  EXPECT_THAT(Shards(client), ElementsAre("0", "1"));
  // Only an address changes.
  EXPECT_THAT(Answer({Places("alpha", shards_, {0, 2}, 3)}), IsEmpty());
  EXPECT_THAT(Shards(client), ElementsAre("0", "2"));

  EXPECT_THAT(Answer({}, {PoolId("alpha"), EndpointsId("alpha")}), IsEmpty());
  EXPECT_TRUE(client.IsEnded());
  EXPECT_FALSE(Connect(address));
}

TEST_F(DiscoveredPoolsTest, AProxyThatDrainsSaysThatItServesNoChange) {
  const auto proxy = StartProxy("", {"--drain-delay=600000"});
  const Address address = NewAddress();
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  RespClient client(address);
  proxy->process().Signal(SIGTERM);
  EXPECT_TRUE(proxy->Logs(" drain_begins "));
  EXPECT_THAT(Answer({Pool("alpha", address, 2, 2), Places("alpha", shards_, {0, 1}, 2)}),
              ElementsAre(HasSubstr("pool alpha p2: : the proxy drains, and serves its clients as"),
                          HasSubstr("endpoints alpha ")));
  EXPECT_THAT(Shards(client), ElementsAre("0"));
  EXPECT_EQ(proxy->Terminate(), 0);  // the second signal
}

// It may have been given to the process that follows already.
TEST_F(DiscoveredPoolsTest, AProxyThatDrainsWritesNoLastGoodState) {
  const TempDirectory directory;
  const std::string file = StrCat(directory.path(), "/state/last-good");
  const auto proxy =
      StartProxy("", {"--drain-delay=600000", StrCat("--state-dir=", directory.path(), "/state")});
  const Address address = NewAddress();
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(file); }));
  proxy->process().Signal(SIGTERM);
  EXPECT_TRUE(proxy->Logs(" drain_begins "));
  std::filesystem::remove(file);
  EXPECT_THAT(Answer({Pool("alpha", address, 2, 2)}), SizeIs(1));
  EXPECT_EQ(proxy->Terminate(), 0);  // what is to be written is by then
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(DiscoveredPoolsTest, APoolWhoseAddressIsTakenIsRefusedAndTheOthersChange) {
  const auto proxy = StartProxy();
  const Address address = NewAddress();
  const OwnedFd other = Listen("127.0.0.1:0");
  const Address taken = StrCat("127.0.0.1:", BoundPort(other));
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  RespClient client(address);
  EXPECT_THAT(Answer({Pool("alpha", taken, 1, 2), Places("alpha", shards_, {1}, 2),
                      Pool("beta", NewAddress(), 1), Places("beta", shards_, {2})}),
              ElementsAre(HasSubstr("pool alpha p2: policy.listen: ")));
  // At the old address, but with the new endpoints.
  EXPECT_THAT(Shards(client), ElementsAre("1"));
  EXPECT_TRUE(proxy->Logs("listening pool=beta"));
}

TEST_F(DiscoveredPoolsTest, APoolIsAskedForAgainWhenTheProcessInItsWayHasGone) {
  const auto proxy = StartProxy();
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  OwnedFd other = Listen("127.0.0.1:0");
  const Address taken = StrCat("127.0.0.1:", BoundPort(other));
  EXPECT_THAT(Answer({Pool("alpha", taken, 1), Places("alpha", shards_, {0})}),
              ElementsAre(HasSubstr("pool alpha p1: policy.listen: ")));
  other = OwnedFd();
  const std::optional<v1::DiscoveryRequest> again = control_.NextFirstRequest();
  ASSERT_TRUE(again.has_value());
  EXPECT_THAT(HeldLines(*again), ElementsAre("endpoints alpha e1"));
  EXPECT_THAT(Answer({Pool("alpha", taken, 1)}), IsEmpty());
  RespClient client(taken);
  EXPECT_THAT(Shards(client), ElementsAre("0"));
}

TEST_F(DiscoveredPoolsTest, APoolIsAskedForAgainWhenThePoolInItsWayHasGone) {
  const auto proxy = StartProxy();
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  const Address address = NewAddress();
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  EXPECT_THAT(Answer({Pool("beta", address, 1), Places("beta", shards_, {1})}),
              ElementsAre(HasSubstr("which pool 'alpha' has, expected an address of its own")));
  EXPECT_THAT(Answer({}, {PoolId("alpha"), EndpointsId("alpha")}), IsEmpty());
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  EXPECT_THAT(Answer({Pool("beta", address, 1)}), IsEmpty());
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("1"));
}

// Each was in the way of the other, and the process's own sockets in the way of both: an address in
// two spellings stands for what 0.0.0.0:P and 127.0.0.1:P are to each other.
TEST_F(DiscoveredPoolsTest, TwoPoolsThatSwapOverlappingAddressesAreAskedForTogether) {
  const auto proxy = StartProxy();
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  const uint16_t one = FreePort();
  const uint16_t two = FreePort();
  EXPECT_THAT(Answer({Pool("alpha", StrCat("127.0.0.1:", one), 1), Places("alpha", shards_, {0}),
                      Pool("beta", StrCat("127.0.0.1:", two), 1), Places("beta", shards_, {1})}),
              IsEmpty());
  const v1::Resource alpha = Pool("alpha", StrCat("127.1:", two), 1, 2);
  const v1::Resource beta = Pool("beta", StrCat("127.1:", one), 1, 2);
  EXPECT_THAT(Answer({alpha}), ElementsAre(HasSubstr("pool alpha p2: policy.listen: ")));
  EXPECT_THAT(Answer({beta}), ElementsAre(HasSubstr("pool beta p2: policy.listen: ")));
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  EXPECT_THAT(Answer({alpha, beta}), IsEmpty());
  RespClient first(StrCat("127.0.0.1:", one));
  EXPECT_THAT(Shards(first), ElementsAre("1"));
  RespClient second(StrCat("127.0.0.1:", two));
  EXPECT_THAT(Shards(second), ElementsAre("0"));
}

// It was looked at every second for ever.
TEST_F(DiscoveredPoolsTest, ARefusedPoolThatIsDeletedIsNotAskedForAgain) {
  const auto proxy = StartProxy();
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  OwnedFd other = Listen("127.0.0.1:0");
  const Address taken = StrCat("127.0.0.1:", BoundPort(other));
  EXPECT_THAT(Answer({Pool("alpha", NewAddress(), 1), Places("alpha", shards_, {0})}), IsEmpty());
  EXPECT_THAT(Answer({Pool("alpha", taken, 1, 2)}), ElementsAre(HasSubstr("policy.listen: ")));
  EXPECT_THAT(Answer({}, {PoolId("alpha"), EndpointsId("alpha")}), IsEmpty());
  EXPECT_THAT(Answer({Pool("beta", taken, 1), Places("beta", shards_, {1})}),
              ElementsAre(HasSubstr("policy.listen: ")));
  other = OwnedFd();
  EXPECT_TRUE(proxy->Logs("refused_pools_asked_for pools=1"));
}

// Its requests failed: the Endpoints did not have the shard any more, the ring did.
TEST_F(DiscoveredPoolsTest, AShardWhoseRemovalIsRefusedServesOnAlsoAfterARestart) {
  const TempDirectory directory;
  const std::vector<std::string> flags = {StrCat("--state-dir=", directory.path(), "/state")};
  const Address address = NewAddress();
  const OwnedFd other = Listen("127.0.0.1:0");
  const Address taken = StrCat("127.0.0.1:", BoundPort(other));
  auto proxy = StartProxy("", flags);
  EXPECT_THAT(Answer({Pool("alpha", address, 2), Places("alpha", shards_, {0, 1})}), IsEmpty());
  EXPECT_THAT(Answer({Pool("alpha", taken, 1, 2), Places("alpha", shards_, {2}, 2)}),
              ElementsAre(HasSubstr("pool alpha p2: policy.listen: ")));
  {
    RespClient client(address);
    EXPECT_THAT(Shards(client), ElementsAre("1", "2"));
  }
  EXPECT_EQ(proxy->Terminate(), 0);
  proxy.reset();
  control_.Stop();
  proxy = StartProxy("", flags);
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("1", "2"));
}

TEST_F(DiscoveredPoolsTest, ASlotWithSeveralAddressesIsServedByTheFirstThatAnswers) {
  const auto proxy = StartProxy();
  const Address address = NewAddress();
  v1::Resource places = Places("alpha", shards_, {0});
  v1::SlotEndpoints& slot = *places.mutable_endpoints()->mutable_slots(0);
  slot.clear_addresses();
  slot.add_addresses(NewAddress());
  slot.add_addresses(shards_.address(1));
  EXPECT_THAT(Answer({Pool("alpha", address, 1), places}), IsEmpty());
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("1"));
}

TEST_F(DiscoveredPoolsTest, AfterAnAbsenceOfTheControlPlaneNothingIsMissing) {
  const auto proxy = StartProxy();
  const Address address = NewAddress();
  ASSERT_TRUE(control_.NextFirstRequest().has_value());
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("0"));

  control_.Stop();
  EXPECT_TRUE(proxy->Logs("control_lost"));
  EXPECT_THAT(Shards(client), ElementsAre("0"));
  control_.Start();
  const std::optional<v1::DiscoveryRequest> first = control_.NextFirstRequest();
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(HeldLines(*first), ElementsAre("pool alpha p1", "endpoints alpha e1"));
  EXPECT_THAT(Answer({Places("alpha", shards_, {1}, 2)}), IsEmpty());
  EXPECT_THAT(Shards(client), ElementsAre("1"));
}

// One of gRPC's threads once let go of the last channel, and the process was aborted.
TEST_F(DiscoveredPoolsTest, AProxyThatFindsNobodyAtManyAddressesLivesAndTriesTheNext) {
  std::string controls = "--control=";
  for (int i = 0; i < 30; ++i) StrAppend(&controls, NewAddress(), ",");
  WeirProcess proxy("", {StrCat(controls, "127.0.0.1:", port_), "--threads=1"});
  EXPECT_TRUE(control_.NextFirstRequest().has_value());
  EXPECT_TRUE(proxy.Logs("control_not_reached", 10));
  EXPECT_EQ(proxy.Terminate(), 0);
}

// gRPC aborted the process over a byte that a header cannot have.
TEST_F(DiscoveredPoolsTest, ATokenFileWithAStrangeByteIsSaidAndTheProxyLives) {
  const TempDirectory directory;
  const std::string file = directory.path() + "/token";
  std::ofstream(file) << "\xEF\xBB\xBFtoken\n";
  const auto proxy = StartProxy("", {StrCat("--control-token-file=", file)});
  EXPECT_TRUE(proxy->Logs("expected one token of printable ASCII", 1));
  std::ofstream(file) << "token\n";
  EXPECT_TRUE(control_.NextFirstRequest().has_value());
  EXPECT_EQ(proxy->Terminate(), 0);
}

TEST_F(DiscoveredPoolsTest, AProxyStartsFromItsLastGoodStateAndGoesOnFromTheStream) {
  const TempDirectory directory;
  const std::vector<std::string> flags = {StrCat("--state-dir=", directory.path(), "/state")};
  const Address address = NewAddress();
  LeavesAlpha(address, flags);

  const auto proxy = StartProxy("", flags);
  EXPECT_THAT(proxy->Log(), HasSubstr("state_restored age_s="));
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("0"));

  control_.Start();
  const std::optional<v1::DiscoveryRequest> first = control_.NextFirstRequest();
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(HeldLines(*first), ElementsAre("pool alpha p1", "endpoints alpha e1"));
  EXPECT_THAT(Answer({Places("alpha", shards_, {2}, 2)}), IsEmpty());
  EXPECT_THAT(Shards(client), ElementsAre("2"));
}

TEST_F(DiscoveredPoolsTest, NamedPoolsAreAskedForAndOthersOfTheLastGoodStateAreNotServed) {
  const TempDirectory directory;
  const std::string state = StrCat("--state-dir=", directory.path(), "/state");
  const Address alpha = NewAddress();
  const Address beta = NewAddress();
  {
    const auto proxy = StartProxy("", {state});
    ASSERT_TRUE(control_.NextFirstRequest().has_value());
    EXPECT_THAT(Answer({Pool("alpha", alpha, 1), Places("alpha", shards_, {0}),
                        Pool("beta", beta, 1), Places("beta", shards_, {1})}),
                IsEmpty());
    EXPECT_EQ(proxy->Terminate(), 0);
  }
  const auto proxy = StartProxy("", {state, "--pools=beta,gamma"});
  const std::optional<v1::DiscoveryRequest> first = control_.NextFirstRequest();
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(first->subscription().pools(), ElementsAre("beta", "gamma"));
  EXPECT_THAT(HeldLines(*first), ElementsAre("pool beta p1", "endpoints beta e1"));
  RespClient client(beta);
  EXPECT_THAT(Shards(client), ElementsAre("1"));
  EXPECT_FALSE(Connect(alpha));
}

TEST_F(DiscoveredPoolsTest, APoolOfTheLastGoodStateWhoseAddressIsTakenIsServedOnceItIsFree) {
  const TempDirectory directory;
  const std::vector<std::string> flags = {StrCat("--state-dir=", directory.path(), "/state")};
  const Address address = NewAddress();
  LeavesAlpha(address, flags);

  OwnedFd other = Listen(address);
  const auto proxy = StartProxy("", flags);
  EXPECT_THAT(proxy->Log(), HasSubstr("resource_refused"));
  other = OwnedFd();
  EXPECT_TRUE(proxy->Logs("listening pool=alpha"));
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("0"));
  // The control plane is told of it, so that it can take it back.
  control_.Start();
  const std::optional<v1::DiscoveryRequest> first = control_.NextFirstRequest();
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(HeldLines(*first), ElementsAre("pool alpha p1", "endpoints alpha e1"));
}

TEST_F(DiscoveredPoolsTest, WithoutStateSecretsThoseOfFormerTimesLeaveTheDisk) {
  const TempDirectory directory;
  const std::string state = directory.path() + "/state";
  const std::string flag = StrCat("--state-dir=", state);
  auto proxy = StartProxy("", {flag, "--state-secrets"});
  EXPECT_THAT(Answer({NewSecret("key", "hunter2"), Pool("alpha", NewAddress(), 1),
                      Places("alpha", shards_, {0})}),
              IsEmpty());
  EXPECT_EQ(proxy->Terminate(), 0);
  EXPECT_THAT(ReadFile(state + "/last-good"), HasSubstr("hunter2"));
  control_.Stop();

  proxy = StartProxy("", {flag});
  EXPECT_THAT(proxy->Log(), HasSubstr("state_secrets_removed secrets=1"));
  EXPECT_EQ(proxy->Terminate(), 0);
  EXPECT_THAT(ReadFile(state + "/last-good"), AllOf(HasSubstr("alpha"), Not(HasSubstr("hunter2"))));
}

TEST_F(DiscoveredPoolsTest, ACorruptStateIsSaidAndLeftAlone) {
  const TempDirectory directory;
  std::ofstream(directory.path() + "/last-good") << "rubbish";
  const auto proxy = StartProxy("", {StrCat("--state-dir=", directory.path())});
  EXPECT_THAT(proxy->Log(), HasSubstr("state_refused"));
  const Address address = NewAddress();
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
}

TEST_F(DiscoveredPoolsTest, PoolsOfTheFileAreServedBesideAndKeepTheirNames) {
  const Address address = NewAddress();
  const auto proxy = StartProxy(StrCat("alpha: {listen: ", address, ", redis: true, servers: ['",
                                       shards_.address(0), ":1']}\n"));
  const Address other = NewAddress();
  EXPECT_THAT(
      Answer({Pool("alpha", NewAddress(), 1), Places("alpha", shards_, {1}), Pool("beta", other, 1),
              Places("beta", shards_, {2})}),
      ElementsAre(HasSubstr("pool alpha p1: : found a name that a pool of the proxy's own")));
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("0"));
  RespClient other_client(other);
  EXPECT_THAT(Shards(other_client), ElementsAre("2"));
}

TEST_F(DiscoveredPoolsTest, ReportsSayWhatIsAppliedAndCounted) {
  const auto proxy = StartProxy();
  const Address address = NewAddress();
  EXPECT_THAT(Answer({Pool("alpha", address, 1), Places("alpha", shards_, {0})}), IsEmpty());
  RespClient client(address);
  EXPECT_THAT(Shards(client), ElementsAre("0"));
  // The one that counts them may be the second or third.
  for (int i = 0; i < 3; ++i) {
    const std::optional<v1::Report> report = control_.NextReport();
    ASSERT_TRUE(report.has_value());
    if (report->shards_size() == 0 || report->shards(0).requests() < 100) continue;
    EXPECT_THAT(report->applied(), SizeIs(2));
    EXPECT_EQ(report->shards(0).pool(), "alpha");
    EXPECT_EQ(report->shards(0).shard(), "s0");
    EXPECT_EQ(report->sessions(), 1u);
    return;
  }
  FAIL() << "no report counts the requests";
}

}  // namespace
}  // namespace weir
