// A program of requests, changes of the cache and looks for the next response, run against one
// discovery stream. Requests are either well formed, as a proxy makes them, or any bytes that
// parse. Whatever happens,
//   - one response at most is on its way, each with a nonce of its own;
//   - a response brings nothing that the proxy holds, takes back nothing that it does not hold, has
//     only what the fleet has, and a secret only when the transport is secure;
//   - its two forms, message and bytes, are the same;
//   - when a proxy of whom nothing strange came takes everything, it soon misses nothing.
//
// An input is one byte of options, then steps: a byte (Step), then what the step asks for. Any
// bytes of a request have their length before them, in two bytes.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "controlplane/cache/resource_cache.h"
#include "controlplane/stream/discovery_stream.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/fuzz/fuzz_program.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

constexpr std::string_view kNames[] = {"alpha", "beta", "gamma", "delta"};
constexpr size_t kMaxSteps = 500;

class Program {
 public:
  explicit Program(std::string_view program)
      : program_(program),
        secure_(Next() % 2 == 0),
        stream_(std::make_shared<ProxyState>("", absl::UnixEpoch(), secure_),
                {.response_bytes = 100}) {}

  void Run() {
    for (size_t steps = 0; steps < kMaxSteps && !program_.done() && !ended_; ++steps) Step();
    if (!ended_ && stream_.open()) Heal();
  }

 private:
  uint8_t Next() { return program_.Next(); }
  std::string_view Name() { return kNames[Next() % 4]; }

  void Step() {
    switch (Next() % 10) {
      case 0:
        return Ask(First());
      case 1:
      case 2:
        return Look();
      case 3:
        return Ack(Next());
      case 4:
        return Ask(AckOf("0"));
      case 5:
      case 6:
        return SetPool(Name(), Next());
      case 7:
        return Next() % 4 == 0 ? SetSecret(Next()) : cache_.RemovePool("blue", Name());
      case 8:
        return Ask(Subscription(Next()));
      case 9:
        return AskAnything();
    }
  }

  void SetPool(std::string_view name, uint8_t what) {
    const Place place = {.generation = ++generation_, .uid = StrCat("uid-", what >> 6)};
    cache_.SetPool(what % 16 == 15 ? "green" : "blue",
                   NewPool(name, StrCat("p", what % 4), place, what % 4 == 3 ? "key" : ""),
                   NewEndpoints(name, StrCat("e", (what >> 2) % 4), place));
  }

  void SetSecret(uint8_t what) {
    cache_.SetSecret(NewSecret("key", StrCat("s", what % 4), {.generation = ++generation_}));
  }

  v1::DiscoveryRequest First() {
    v1::DiscoveryRequest request = Subscription(Next());
    request.mutable_node()->set_id("proxy-1");
    request.mutable_node()->set_fleet("blue");
    for (uint8_t held = Next() % 8; held > 0; --held) {
      const std::string_view name = Name();
      const uint8_t what = Next();
      *request.add_held() =
          Held(what % 2 == 0 ? PoolId(name) : EndpointsId(name), StrCat("p", what % 4));
    }
    return request;
  }

  v1::DiscoveryRequest Subscription(uint8_t pools) {
    v1::DiscoveryRequest request;
    request.mutable_subscription();
    for (size_t i = 0; i < 4; ++i) {
      if ((pools >> i) % 2 == 1) request.mutable_subscription()->add_pools(std::string(kNames[i]));
    }
    return request;
  }

  static v1::DiscoveryRequest AckOf(std::string_view nonce) {
    v1::DiscoveryRequest request;
    request.mutable_ack()->set_nonce(std::string(nonce));
    return request;
  }

  // Of what is on its way each resource is taken, refused or stale, by two bits of `how`.
  void Ack(uint8_t how) {
    if (!on_its_way_.has_value()) return;
    v1::DiscoveryRequest request = AckOf(on_its_way_->nonce());
    for (const v1::Resource& resource : on_its_way_->changed()) {
      if (how % 4 == 1) {
        *request.mutable_ack()->add_errors() = ErrorOf(IdOf(resource.key()), "field", "detail");
      } else if (how % 4 == 2) {
        *request.mutable_ack()->add_stale() = resource.key();
      }
      how = static_cast<uint8_t>(how >> 2 | how << 6);
    }
    Ask(request);
  }

  void AskAnything() {
    const std::string_view bytes = program_.NextBytes();
    v1::DiscoveryRequest request;
    if (request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) Ask(request);
  }

  void Ask(const v1::DiscoveryRequest& request) {
    const bool first = !stream_.open();
    const bool answers = on_its_way_.has_value() && request.has_ack() &&
                         request.ack().nonce() == on_its_way_->nonce();
    const absl::StatusOr<RequestOutcome> outcome = stream_.OnRequest(request, absl::UnixEpoch());
    if (!outcome.ok()) {
      CHECK(absl::IsInvalidArgument(outcome.status()));
      ended_ = true;
      return;
    }
    CHECK_EQ(outcome->opened, first);
    CHECK_EQ(outcome->answer.has_value(), answers);
    CHECK_EQ(outcome->stale_nonce, request.has_ack() && !answers);
    if (first) Hold(request);
    if (answers) Take(request.ack());
    CHECK_EQ(stream_.in_flight(), on_its_way_.has_value());
  }

  void Hold(const v1::DiscoveryRequest& first) {
    fleet_ = first.node().fleet().empty() ? "default" : first.node().fleet();
    for (const v1::HeldResource& held : first.held()) {
      holds_[IdOf(held.key())] = held.version();
    }
  }

  void Take(const v1::Ack& ack) {
    std::set<ResourceId> left;
    for (const v1::ResourceError& error : ack.errors()) left.insert(IdOf(error.key()));
    for (const v1::ResourceKey& key : ack.stale()) left.insert(IdOf(key));
    for (const v1::Resource& resource : on_its_way_->changed()) {
      const ResourceId id = IdOf(resource.key());
      if (!left.contains(id)) holds_[id] = resource.version();
    }
    for (const v1::RemovedResource& removal : on_its_way_->removed()) {
      const ResourceId id = IdOf(removal.key());
      if (!left.contains(id)) holds_.erase(id);
    }
    on_its_way_.reset();
  }

  void Look() {
    const FleetViewPtr view = cache_.View(fleet_);
    const std::optional<OutgoingResponse> response = stream_.NextResponse(*view);
    if (!response.has_value()) return;
    CHECK(stream_.open());
    CHECK(!on_its_way_.has_value());
    v1::DiscoveryResponse message;
    CHECK(message.ParseFromString(response->Encode()));
    CHECK(message.SerializeAsString() == response->ToMessage().SerializeAsString());
    CHECK(nonces_.insert(message.nonce()).second);
    for (const v1::Resource& resource : message.changed()) {
      const ResourceId id = IdOf(resource.key());
      CHECK(view->Find(id) != nullptr);
      CHECK(id.type != v1::RESOURCE_SECRET || secure_);
      const auto held = holds_.find(id);
      CHECK(held == holds_.end() || held->second != resource.version());
    }
    for (const v1::RemovedResource& removal : message.removed()) {
      CHECK(holds_.contains(IdOf(removal.key())));
    }
    on_its_way_ = message;
  }

  // The proxy takes everything from now on, also what it would not take before.
  void Heal() {
    for (const std::string_view name : kNames) {
      for (const std::string_view fleet : {"blue", "green"}) cache_.RemovePool(fleet, name);
    }
    google::protobuf::Timestamp now;
    now.set_seconds(1);
    cache_.SetDeleted({}, now);  // pools that nobody knows are not kept
    ++generation_;
    cache_.SetPool(fleet_, NewPool("alpha", "new", {.generation = generation_}),
                   NewEndpoints("alpha", "new", {.generation = generation_}));
    Ask(Subscription(0));
    for (int rounds = 0; rounds < 20; ++rounds) {
      Ack(0);
      Look();
    }
    CHECK(!on_its_way_.has_value());
    CHECK(holds_[PoolId("alpha")] == "new");
    CHECK(stream_.proxy()->Describe(*cache_.View(fleet_)).in_sync());
  }

  FuzzProgram program_;
  const bool secure_;
  ResourceCache cache_;
  DiscoveryStream stream_;
  uint64_t generation_ = 0;
  bool ended_ = false;
  std::string fleet_ = "blue";

  // The proxy.
  std::map<ResourceId, std::string> holds_;
  std::optional<v1::DiscoveryResponse> on_its_way_;
  std::set<std::string> nonces_;
};

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::Program(std::string_view(reinterpret_cast<const char*>(data), size)).Run();
  return 0;
}
