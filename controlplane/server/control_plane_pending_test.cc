// Shards whose names have no address yet: off the ring, until one is found.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/server/control_plane_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kName[] = "c.example:6379";

class PendingShardTest : public ControlPlaneTest {
 protected:
  PendingShardTest() { CHECK(Create("alpha", SpecWith({"a"})).ok()); }

  // Of alpha: c, at kName.
  static v1::AddShardRequest NamedShard() {
    v1::AddShardRequest request = AddRequest("c");
    request.mutable_shard()->set_endpoint(kName);
    return request;
  }
  // Of alpha: a, moved to kName.
  static v1::UpdateShardRequest Renamed() {
    v1::UpdateShardRequest request;
    request.set_pool("alpha");
    request.set_shard("a");
    request.set_endpoint(kName);
    request.mutable_options()->set_force(true);
    return request;
  }
  void Finds() { control_.SetAddresses(kName, {"192.0.2.1:6379"}); }
  // Over the same store, with a name server that answers at once and knows every name.
  std::unique_ptr<ControlPlane> StartedWithNameServer(ResourceCache& cache) {
    ControlPlane::Parts parts = PartsWith(cache);
    parts.look_up = std::chrono::hours(1);
    parts.wake = [this] {
      if (with_names_ == nullptr) return;
      for (const auto& [name, interval] : with_names_->NamesToResolve()) {
        with_names_->SetAddresses(name, {"192.0.2.1:6379"});
      }
    };
    auto control = std::make_unique<ControlPlane>(parts);
    CHECK(control->Load().ok());
    CHECK(control->Start().ok());
    with_names_ = control.get();
    return control;
  }
  v1::Pool Alpha(ControlPlane& control) {
    v1::GetPoolRequest request;
    request.set_name("alpha");
    const absl::StatusOr<v1::Pool> pool = control.GetPool(request);
    EXPECT_TRUE(pool.ok());
    return pool.ok() ? *pool : v1::Pool();
  }
  v1::Pool Alpha() { return Alpha(control_); }
  // Who made the versions of alpha and from where, the newest first.
  std::vector<std::string> Versions() {
    std::vector<std::string> lines;
    const absl::StatusOr<std::vector<v1::Version>> versions = store_.ListVersions("alpha");
    for (const v1::Version& version : *versions) {
      lines.push_back(version.actor() + ": " + version.origin());
    }
    return lines;
  }
  const std::string by_alice_ = kAlice.name + ": " + kAlice.origin;
  ControlPlane* with_names_ = nullptr;  // StartedWithNameServer's, which starts without its names
  const std::string by_itself_ = "weir-control: address found";
};

TEST_F(PendingShardTest, AShardWhoseNameIsNotFoundWaitsAndThenComesToTheRingByItself) {
  ASSERT_TRUE(Call(&ControlPlane::AddShard, NamedShard()).ok());
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a"));
  const v1::Pool waiting = Alpha();
  EXPECT_THAT(waiting.status().waiting(),
              ElementsAre("shard c waits for an address of c.example:6379"));
  EXPECT_EQ(waiting.shard_map().slots(1).state(), v1::SLOT_PENDING);

  Finds();
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published(), ElementsAre("a", "c"));
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("127.0.0.1:6379", "192.0.2.1:6379"));
  const v1::Pool active = Alpha();
  EXPECT_THAT(active.status().waiting(), IsEmpty());
  EXPECT_EQ(active.shard_map().generation(), waiting.shard_map().generation() + 1);
  EXPECT_NE(active.etag(), waiting.etag());
  EXPECT_THAT(Versions(), ElementsAre(by_itself_, by_alice_, by_alice_));
}

TEST_F(PendingShardTest, AnAddressPutsAShardOnTheRingOnceAndItStaysWhateverComes) {
  ASSERT_TRUE(Call(&ControlPlane::AddShard, NamedShard()).ok());
  Finds();
  Advance(absl::Seconds(1));
  const int writes = store_.writes;
  control_.SetAddresses(kName, {"192.0.2.2:6379"});
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_EQ(store_.writes, writes);
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("127.0.0.1:6379", "192.0.2.2:6379"));
}

TEST_F(PendingShardTest, AChangeWaitsForTheAddressesOfItsNames) {
  ResourceCache cache;
  const std::unique_ptr<ControlPlane> control = StartedWithNameServer(cache);
  bool done = false;
  control->AddShard(NamedShard(), kAlice, [&done](const absl::StatusOr<v1::ChangeResponse>& made) {
    ASSERT_TRUE(made.ok());
    EXPECT_THAT(made->pool().status().waiting(), IsEmpty());
    EXPECT_EQ(made->pool().shard_map().slots(1).state(), v1::SLOT_ACTIVE);
    EXPECT_EQ(made->plan().shards_after(), 2u);
    done = true;
  });
  control->RefreshPools(moment_);
  EXPECT_TRUE(done);
  EXPECT_THAT(Versions(), ElementsAre(by_alice_, by_alice_));
}

TEST_F(PendingShardTest, AChangeThatFindsNoAddressIsMadeAllTheSame) {
  ResourceCache cache;
  ControlPlane::Parts parts = PartsWith(cache);
  parts.look_up = std::chrono::milliseconds(1);
  ControlPlane looks_up(parts);
  ASSERT_TRUE(looks_up.Load().ok());
  ASSERT_TRUE(looks_up.Start().ok());
  bool done = false;
  looks_up.AddShard(NamedShard(), kAlice, [&done](const absl::StatusOr<v1::ChangeResponse>& made) {
    ASSERT_TRUE(made.ok());
    EXPECT_EQ(made->pool().status().waiting_size(), 1);
    done = true;
  });
  EXPECT_EQ(looks_up.RefreshPools(moment_), moment_ + std::chrono::milliseconds(1));
  EXPECT_FALSE(done);
  looks_up.RefreshPools(moment_ + std::chrono::milliseconds(1));
  EXPECT_TRUE(done);
}

TEST_F(PendingShardTest, AShardWhoseNewNameIsNotFoundIsSaidToKeepItsOldAddress) {
  const absl::StatusOr<v1::ChangeResponse> made = Call(&ControlPlane::UpdateShard, Renamed());
  ASSERT_TRUE(made.ok());
  const auto keeps =
      ElementsAre("shard a keeps its old address (127.0.0.1:6379) until c.example:6379 resolves");
  EXPECT_THAT(made->pool().status().waiting(), keeps);
  EXPECT_THAT(Alpha().status().waiting(), keeps);
  Advance(absl::Seconds(1));
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("127.0.0.1:6379"));

  Finds();
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_THAT(Alpha().status().waiting(), IsEmpty());
  EXPECT_THAT(AddressesOf("alpha"), ElementsAre("192.0.2.1:6379"));
}

TEST_F(PendingShardTest, ANewNameIsLookedUpBeforeTheAnswerSaysThatItIsNotFound) {
  ResourceCache cache;
  const std::unique_ptr<ControlPlane> control = StartedWithNameServer(cache);
  bool done = false;
  control->UpdateShard(Renamed(), kAlice, [&done](const absl::StatusOr<v1::ChangeResponse>& made) {
    ASSERT_TRUE(made.ok());
    EXPECT_THAT(made->pool().status().waiting(), IsEmpty());
    done = true;
  });
  control->RefreshPools(moment_);
  EXPECT_TRUE(done);
}

TEST_F(PendingShardTest, AChangeThatWaitsForNamesHoldsUpNoOtherChangeOfItsPool) {
  ResourceCache cache;
  ControlPlane::Parts parts = PartsWith(cache);
  parts.look_up = std::chrono::hours(1);
  ControlPlane looks_up(parts);
  ASSERT_TRUE(looks_up.Load().ok());
  ASSERT_TRUE(looks_up.Start().ok());
  std::vector<std::string> made;
  const auto add = [&](v1::AddShardRequest request) {
    looks_up.AddShard(request, kAlice, [&made](const absl::StatusOr<v1::ChangeResponse>& result) {
      ASSERT_TRUE(result.ok()) << result.status();
      std::string& slots = made.emplace_back();
      for (const v1::Slot& slot : result->pool().shard_map().slots()) slots += slot.name();
      EXPECT_THAT(result->pool().status().waiting(), IsEmpty());
    });
  };
  add(NamedShard());
  add(AddRequest("d"));
  looks_up.RefreshPools(moment_);
  EXPECT_THAT(made, ElementsAre("ad"));
  looks_up.SetAddresses(kName, {"192.0.2.1:6379"});
  looks_up.RefreshPools(moment_);
  EXPECT_THAT(made, ElementsAre("ad", "acd"));
}

TEST_F(PendingShardTest, AShardOnTheRingWithoutAnyAddressIsSaidToWait) {
  ASSERT_TRUE(Call(&ControlPlane::UpdateShard, Renamed()).ok());
  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));  // addresses.json is gone
  ASSERT_TRUE(restarted.Load().ok());
  ASSERT_TRUE(restarted.Start().ok());
  EXPECT_THAT(Alpha(restarted).status().waiting(),
              ElementsAre("shard a waits for an address of c.example:6379"));
}

TEST_F(PendingShardTest, AfterARestartAShardWhoseNewNameIsNotFoundIsServedByItsOldAddress) {
  ASSERT_TRUE(Call(&ControlPlane::UpdateShard, Renamed()).ok());
  ResourceCache cache;
  ControlPlane restarted(PartsWith(cache));
  ASSERT_TRUE(restarted.Load(control_.Resolved()).ok());
  ASSERT_TRUE(restarted.Start().ok());
  EXPECT_THAT(
      Alpha(restarted).status().waiting(),
      ElementsAre("shard a keeps its old address (127.0.0.1:6379) until c.example:6379 resolves"));
  const ResourcePtr endpoints = cache.View("default")->Find(EndpointsId("alpha"));
  ASSERT_NE(endpoints, nullptr);
  EXPECT_THAT(endpoints->message.endpoints().slots(0).addresses(), ElementsAre("127.0.0.1:6379"));
}

TEST_F(PendingShardTest, AfterARestartAShardGoesOnWaitingAndComesToTheRingOnce) {
  ASSERT_TRUE(Call(&ControlPlane::AddShard, NamedShard()).ok());
  for (int i = 0; i < 2; ++i) {
    ResourceCache cache;
    ControlPlane restarted(PartsWith(cache));
    ASSERT_TRUE(restarted.Load().ok());
    ASSERT_TRUE(restarted.Start().ok());
    EXPECT_EQ(Alpha(restarted).status().waiting_size(), 1);
  }
  for (int i = 0; i < 2; ++i) {
    ResourceCache cache;
    ControlPlane restarted(PartsWith(cache));
    // It was found before the process ended, and not told.
    ASSERT_TRUE(restarted.Load({.resolved = {{kName, {"192.0.2.1:6379"}}}}).ok());
    ASSERT_TRUE(restarted.Start().ok());
    EXPECT_THAT(Alpha(restarted).status().waiting(), IsEmpty());
    EXPECT_THAT(Versions(), ElementsAre(by_itself_, by_alice_, by_alice_));
  }
}

TEST_F(PendingShardTest, AnAddressThatCannotBeWrittenDownIsWrittenLater) {
  ASSERT_TRUE(Call(&ControlPlane::AddShard, NamedShard()).ok());
  store_.failure = absl::UnavailableError("disk");
  Finds();
  Advance(absl::Seconds(1));
  EXPECT_EQ(Alpha().status().waiting_size(), 1);
  EXPECT_NE(control_.RefreshPools(moment_), kNever);
  store_.failure = absl::OkStatus();
  Advance(absl::Seconds(2));
  EXPECT_THAT(Alpha().status().waiting(), IsEmpty());
  EXPECT_THAT(Versions(), ElementsAre(by_itself_, by_alice_, by_alice_));
}

TEST_F(PendingShardTest, TwoOverOneStoreDoNotBothWriteWhatTheyFind) {
  ASSERT_TRUE(Call(&ControlPlane::AddShard, NamedShard()).ok());
  ResourceCache cache;
  ControlPlane other(PartsWith(cache));
  ASSERT_TRUE(other.Load().ok());
  Finds();
  Advance(absl::Seconds(1));
  other.SetAddresses(kName, {"192.0.2.1:6379"});
  other.RefreshPools(moment_ + std::chrono::hours(1));
  EXPECT_THAT(Versions(), ElementsAre(by_itself_, by_alice_, by_alice_));
}

TEST_F(PendingShardTest, AnEtagFromBeforeTheAddressWasFoundIsOld) {
  ASSERT_TRUE(Call(&ControlPlane::AddShard, NamedShard()).ok());
  v1::RemoveShardRequest request;
  request.set_pool("alpha");
  request.set_shard("c");
  request.mutable_options()->set_etag(Alpha().etag());
  Finds();
  Advance(absl::Seconds(1));
  EXPECT_TRUE(absl::IsAborted(Call(&ControlPlane::RemoveShard, request).status()));
}

TEST_F(PendingShardTest, ProxiesAreToldOfAPoolWithItsFirstAddress) {
  FakeProxy proxy(proxies_, cache_, "p1");
  v1::CreatePoolRequest request;
  request.set_name("beta");
  *request.mutable_spec() = SpecWith({"c"});
  request.mutable_spec()->mutable_servers(0)->set_endpoint(kName);
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  const absl::StatusOr<v1::ChangeResponse> made = Call(&ControlPlane::CreatePool, request);
  ASSERT_TRUE(made.ok()) << made.status();  // there is nothing to wait for
  EXPECT_THAT(made->plan().changes(2), HasSubstr("off the ring"));
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published("beta"), ElementsAre("none"));
  v1::GetPoolRequest get;
  get.set_name("beta");
  EXPECT_FALSE(control_.GetPool(get)->status().has_proxies());
  Finds();
  Advance(absl::Seconds(1));
  Advance(absl::Seconds(1));
  EXPECT_THAT(Published("beta"), ElementsAre("c"));
  EXPECT_EQ(control_.GetPool(get)->status().proxies().connected(), 1u);
}

}  // namespace
}  // namespace weir
