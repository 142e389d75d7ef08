// What weir-control does without gRPC, by many threads at once as gRPC's would: changes of a few
// pools, addresses that come, proxies and watchers that come and go, readers, and the passing of
// time. In the end all that have something to say of the pools agree.

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "controlplane/server/control_plane_test_support.h"
#include "controlplane/server/ticker.h"
#include "controlplane/stream/discovery_stream.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "gtest/gtest.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/google/rpc/status.pb.h"
#include "proto/weir/v1/record.pb.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::array<const char*, 3> kPools = {"alpha", "beta", "gamma"};
constexpr int kChangers = 3;
constexpr int kChangesOfEach = 40;
constexpr int kWaitsOfEach = 4;  // for proxies
constexpr int kNames = 4;
// Before a proxy or watcher leaves and comes again.
constexpr int kNewsPerVisit = 4;

std::string HostName(int index) { return StrCat("redis-", index, ".test:6379"); }

// The ring of each pool that has one: "s1*2 s3*1".
using Rings = std::map<std::string, std::string>;

std::string RingText(std::vector<std::pair<std::string, uint32_t>> slots) {
  std::ranges::sort(slots);
  std::string text;
  for (const auto& [name, weight] : slots) StrAppend(&text, " ", name, "*", weight);
  return text;
}

std::string RingOf(const v1::ShardMap& map) {
  std::vector<std::pair<std::string, uint32_t>> slots;
  for (const v1::Slot& slot : map.slots()) {
    if (slot.state() == v1::SLOT_ACTIVE) slots.emplace_back(slot.name(), slot.weight());
  }
  return RingText(std::move(slots));
}

std::string RingOf(const v1::PoolResource& pool) {
  std::vector<std::pair<std::string, uint32_t>> slots;
  for (const v1::RingSlot& slot : pool.slots()) slots.emplace_back(slot.name(), slot.weight());
  return RingText(std::move(slots));
}

// Told by any thread that there is something to do, or that it is time to go.
class Bell {
 public:
  void Ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_one();
  }
  void End() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_one();
  }
  // False when it is time to go.
  bool Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return rung_ || ended_; });
    rung_ = false;
    return !ended_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = true;
  bool ended_ = false;
};

// A proxy that takes what it is sent, on a thread of its own, from construction to End.
class StressProxy {
 public:
  StressProxy(ResourceCache& cache, ProxyRegistry& registry, std::string id)
      : cache_(cache), registry_(registry), id_(std::move(id)), thread_([this] { Run(); }) {}

  // It comes once more and stays.
  void Settle() {
    settling_ = true;
    bell_.Ring();
  }
  void End() {
    bell_.End();
    thread_.join();
  }

  // What it holds; after End.
  Rings rings() const {
    Rings rings;
    for (const auto& [id, resource] : held_) {
      if (id.type == v1::RESOURCE_POOL) rings[id.name] = RingOf(resource.pool());
    }
    return rings;
  }

 private:
  void Run() {
    while (Visit()) continue;
  }

  // False when it is time to go.
  bool Visit() {
    DiscoveryStream stream(std::make_shared<ProxyState>("127.0.0.1:2", absl::Now(), false));
    v1::DiscoveryRequest first;
    first.mutable_node()->set_id(id_);
    first.mutable_subscription();
    for (const auto& [id, resource] : held_) {
      v1::HeldResource& held = *first.add_held();
      *held.mutable_key() = resource.key();
      held.set_version(resource.version());
    }
    EXPECT_TRUE(stream.OnRequest(first, absl::Now()).ok());
    registry_.Join(stream.proxy());
    const std::unique_ptr<ResourceWatch> watch =
        cache_.Watch(stream.proxy()->fleet(), [this] { bell_.Ring(); });
    bool stays = true;
    int news = 0;
    do {
      while (const auto response = stream.NextResponse(*watch->Take())) {
        Take(response->ToMessage(), stream);
        ++news;
      }
      registry_.Answered(*stream.proxy());
      if (!settling_ && news >= kNewsPerVisit) break;
      stays = bell_.Wait();
    } while (stays);
    registry_.Leave(*stream.proxy());
    return stays;
  }

  void Take(const v1::DiscoveryResponse& response, DiscoveryStream& stream) {
    for (const v1::Resource& resource : response.changed()) {
      held_[IdOf(resource.key())] = resource;
    }
    for (const v1::RemovedResource& removal : response.removed()) held_.erase(IdOf(removal.key()));
    v1::DiscoveryRequest request;
    request.mutable_ack()->set_nonce(response.nonce());
    EXPECT_TRUE(stream.OnRequest(request, absl::Now()).ok());
    registry_.Answered(*stream.proxy());
  }

  ResourceCache& cache_;
  ProxyRegistry& registry_;
  const std::string id_;
  std::map<ResourceId, v1::Resource> held_;  // the thread's
  std::atomic<bool> settling_ = false;
  Bell bell_;
  std::thread thread_;
};

// A caller of WatchPools, on a thread of its own, from construction to End.
class StressWatcher {
 public:
  explicit StressWatcher(ControlPlane& control) : control_(control), thread_([this] { Run(); }) {}

  void Settle() {
    settling_ = true;
    bell_.Ring();
  }
  void End() {
    bell_.End();
    thread_.join();
  }

  // What it was told last; after End.
  Rings rings() const { return rings_; }

 private:
  void Run() {
    while (Visit()) continue;
  }

  bool Visit() {
    rings_.clear();
    const std::shared_ptr<PoolWatch> watch = control_.Watch("", [this] { bell_.Ring(); });
    int news = 0;
    bool stays = true;
    while (stays) {
      stays = bell_.Wait();
      while (const auto response = control_.NextFor(*watch)) {
        for (const v1::Pool& pool : response->changed()) {
          rings_[pool.name()] = RingOf(pool.shard_map());
        }
        for (const std::string& name : response->removed()) rings_.erase(name);
        ++news;
      }
      if (stays && !settling_ && news >= kNewsPerVisit) break;
    }
    return stays;
  }

  ControlPlane& control_;
  Rings rings_;  // the thread's
  std::atomic<bool> settling_ = false;
  Bell bell_;
  std::thread thread_;
};

class ControlPlaneStressTest : public ::testing::Test {
 protected:
  ControlPlaneStressTest() {
    LoadDescriptors();
    CHECK(control_.Load().ok());
    CHECK(control_.Start().ok());
    ticker_.Start([this](Moment now) { return control_.RunDue(now); });
    refresher_.Start([this](Moment now) { return control_.RefreshPools(now); });
  }

  // Protobuf makes those of a file when the first is asked for, under locks of its library, which
  // the thread sanitizer does not see.
  static void LoadDescriptors() {
    for (const google::protobuf::Descriptor* descriptor :
         {v1::ChangeResponse::descriptor(), v1::DiscoveryRequest::descriptor(),
          v1::Pool::descriptor(), v1::PoolRecord::descriptor(),
          google::protobuf::Timestamp::descriptor(), google::protobuf::Duration::descriptor(),
          google::protobuf::FieldMask::descriptor(), google::rpc::BadRequest::descriptor(),
          google::rpc::Status::descriptor()}) {
      CHECK(descriptor != nullptr);
    }
  }

  // Makes a change; with `wait` returns when the proxies have answered.
  template <typename Request>
  void Change(void (ControlPlane::*method)(const Request&, const Caller&, ChangeDone),
              Request request, bool wait) {
    request.mutable_options()->set_force(true);
    if (wait) request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
    std::promise<void> answered;
    ++asked_;
    (control_.*method)(request, kAlice, [&](const absl::StatusOr<v1::ChangeResponse>& answer) {
      const absl::StatusCode code = answer.status().code();
      EXPECT_TRUE(answer.ok() || code == absl::StatusCode::kNotFound ||
                  code == absl::StatusCode::kAlreadyExists ||
                  code == absl::StatusCode::kFailedPrecondition)
          << answer.status();
      if (answer.ok()) ++made_;
      answered.set_value();  // a second time it would throw
    });
    answered.get_future().wait();
  }

  void Create(const std::string& pool) {
    v1::CreatePoolRequest request;
    request.set_name(pool);
    *request.mutable_spec() = SpecWith({"s0"});
    request.mutable_spec()->mutable_guard()->set_max_moved_fraction(1);
    Change(&ControlPlane::CreatePool, std::move(request), /*wait=*/false);
  }

  void MakeChanges(uint32_t seed) {
    std::mt19937 random(seed);
    const auto below = [&random](uint32_t count) { return static_cast<int>(random() % count); };
    for (int i = 0; i < kChangesOfEach; ++i) {
      const std::string pool = kPools[static_cast<size_t>(below(kPools.size()))];
      const std::string shard = StrCat("s", below(6));
      const bool wait = i % (kChangesOfEach / kWaitsOfEach) == 0;
      switch (below(8)) {
        case 0: {
          v1::DeletePoolRequest request;
          request.set_name(pool);
          Change(&ControlPlane::DeletePool, request, wait);
          [[fallthrough]];
        }
        case 1:
          Create(pool);
          break;
        case 2:
        case 3:
        case 4: {
          v1::AddShardRequest request;
          request.set_pool(pool);
          request.mutable_shard()->set_name(shard);
          request.mutable_shard()->set_endpoint(below(2) == 0 ? HostName(below(kNames))
                                                              : StrCat("127.0.0.1:", 1 + below(9)));
          Change(&ControlPlane::AddShard, request, wait);
          break;
        }
        case 5: {
          v1::RemoveShardRequest request;
          request.set_pool(pool);
          request.set_shard(shard);
          Change(&ControlPlane::RemoveShard, request, wait);
          break;
        }
        case 6: {
          v1::UpdateShardRequest request;
          request.set_pool(pool);
          request.set_shard(shard);
          request.set_weight(static_cast<uint32_t>(1 + below(3)));
          Change(&ControlPlane::UpdateShard, request, wait);
          break;
        }
        case 7: {
          v1::DrainShardRequest request;
          request.set_pool(pool);
          request.set_shard(shard);
          request.set_undo(below(2) == 0);
          Change(&ControlPlane::DrainShard, request, wait);
          break;
        }
      }
    }
  }

  // Names get addresses and others, those that are wanted or not.
  void TellAddresses() {
    for (int i = 0; changing_; ++i) {
      control_.ResolvesOnly(control_.NamesToResolve());
      control_.SetAddresses(HostName(i % kNames), {StrCat("10.0.0.", 1 + i / kNames % 3, ":6379")});
      refresher_.Wake();
      std::this_thread::yield();
    }
  }

  void ReadAll() {
    while (changing_) {
      EXPECT_TRUE(control_.ListPools({}).ok());
      EXPECT_TRUE(control_.ListProxies({}).ok());
      v1::ExplainKeyRequest explain;
      explain.set_pool("alpha");
      explain.set_key("user:1");
      (void)control_.ExplainKey(explain);
      v1::ListVersionsRequest versions;
      versions.set_pool("beta");
      (void)control_.ListVersions(versions);
      std::this_thread::yield();
    }
  }

  // All names have an address, and what is due later is due at once.
  void Settle() {
    for (int i = 0; i < kNames; ++i) control_.SetAddresses(HostName(i), {"10.0.0.9:6379"});
    ticker_.Stop();
    refresher_.Stop();
    const Moment later = Clock::now() + std::chrono::hours(1);
    control_.RefreshPools(later);
    control_.RunDue(later + std::chrono::hours(1));
  }

  bool AllInSync(size_t proxies) {
    const auto list = control_.ListProxies({});
    return list.ok() && list->proxies_size() == static_cast<int>(proxies) &&
           std::ranges::all_of(list->proxies(), [](const v1::Proxy& p) { return p.in_sync(); });
  }

  // As the API shows them, with those that are not on the ring.
  Rings AsShown() {
    Rings rings;
    const auto list = control_.ListPools({});
    for (const v1::Pool& pool : list->pools()) {
      rings[pool.name()] = RingOf(pool.shard_map());
      EXPECT_EQ(pool.status().waiting_size(), 0) << pool.ShortDebugString();
    }
    return rings;
  }

  Rings AsStored() {
    Rings rings;
    const auto stored = store_.Load();
    for (const StoredPool& pool : *stored) {
      rings[pool.record.name()] = RingOf(pool.record.shard_map());
    }
    return rings;
  }

  static Rings OnTheRing(Rings rings) {
    std::erase_if(rings, [](const auto& ring) { return ring.second.empty(); });
    return rings;
  }

  MemoryStore store_;
  ResourceCache cache_;
  ProxyRegistry proxies_;
  ControlMetrics metrics_;
  ControlPlane control_{{.store = store_,
                         .cache = cache_,
                         .proxies = proxies_,
                         .metrics = metrics_,
                         .now = absl::Now,
                         .moment = Clock::now,
                         .wake = [this] {
                           ticker_.Wake();
                           refresher_.Wake();
                         }}};
  std::atomic<bool> changing_ = true;
  std::atomic<int> asked_ = 0;
  std::atomic<int> made_ = 0;
  Ticker ticker_;
  Ticker refresher_;
};

TEST_F(ControlPlaneStressTest, InTheEndAllAgreeWhateverHappenedAtOnce) {
  std::deque<StressProxy> proxies;
  for (int i = 0; i < 3; ++i) proxies.emplace_back(cache_, proxies_, StrCat("p", i));
  std::deque<StressWatcher> watchers;
  for (int i = 0; i < 2; ++i) watchers.emplace_back(control_);
  std::vector<std::thread> beside;
  beside.emplace_back([this] { TellAddresses(); });
  beside.emplace_back([this] { ReadAll(); });
  std::vector<std::thread> changers;
  for (uint32_t i = 0; i < kChangers; ++i) changers.emplace_back([this, i] { MakeChanges(i); });

  for (std::thread& thread : changers) thread.join();
  changing_ = false;
  for (std::thread& thread : beside) thread.join();
  for (const char* pool : kPools) Create(pool);  // so that there is something to agree about
  Settle();
  for (StressProxy& proxy : proxies) proxy.Settle();
  for (StressWatcher& watcher : watchers) watcher.Settle();
  while (!AllInSync(proxies.size())) std::this_thread::yield();
  for (StressProxy& proxy : proxies) proxy.End();
  for (StressWatcher& watcher : watchers) watcher.End();

  EXPECT_GT(made_, asked_ / 3);
  const Rings shown = AsShown();
  EXPECT_EQ(shown.size(), kPools.size());
  EXPECT_EQ(AsStored(), shown);
  for (const StressWatcher& watcher : watchers) EXPECT_EQ(watcher.rings(), shown);
  for (const StressProxy& proxy : proxies) EXPECT_EQ(proxy.rings(), OnTheRing(shown));
  EXPECT_TRUE(proxies_.Connected().empty());
}

}  // namespace
}  // namespace weir
