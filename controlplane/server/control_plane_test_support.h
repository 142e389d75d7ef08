// What the tests of ControlPlane share: one over a store in memory, whose time the test makes pass,
// and proxies that answer when they are told to.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/server/control_plane.h"
#include "controlplane/server/memory_store.h"
#include "gtest/gtest.h"
#include "proxy/base/check.h"
#include "proxy/base/clock.h"

namespace weir {

inline const Caller kAlice{.name = "alice", .origin = "api 127.0.0.1:1"};
inline constexpr char kRequestId[] = "6f1d7c1e-3c3a-4b8e-9a53-0c7d1a2b3c4d";

inline v1::PoolSpec SpecWith(std::vector<std::string> shards) {
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
    control_.RefreshPools(moment_);
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

}  // namespace weir
