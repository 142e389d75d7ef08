// The proxy's half of the discovery stream against a control plane that may send anything:
// SubscriptionState and SnapshotDecoder take a program of responses, whole or any bytes that parse,
// of streams that end at any moment, of time before what came is in force, and of pools that cannot
// be served. Whatever happens,
//   - each response is acknowledged once, by its nonce, when what it brought is in force, refused
//     or stale; a stream that has ended gets no ACK, and a first request tells what is held;
//   - a resource never goes back to an older state of its uid, nor to what came before another uid;
//   - what is wrong with a resource concerns only pools that the change touches, and errors name
//     resources that the change brought, each once;
//   - a pool is served exactly when its Pool is held, as what is held says: one that starts anew
//     from that, as from the last good state, serves the same;
//   - in the end a pool that nobody has heard of is taken and served.
//
// An input is steps: a byte (Step), then what the step asks for.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/resource_order.h"
#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/xds/snapshot_decoder.h"
#include "proxy/xds/subscription_state.h"
#include "tests/fuzz/fuzz_message.h"
#include "tests/fuzz/fuzz_program.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

constexpr std::string_view kNames[] = {"alpha", "beta"};
constexpr char kSecret[] = "key";
constexpr size_t kMaxSteps = 200;
// Of more resources that went than this their states are forgotten.
constexpr size_t kRemembered = 256;

template <typename Messages>
bool Names(const Messages& messages, const ResourceId& id) {
  return std::ranges::any_of(messages, [&](const auto& item) { return IdOf(item.key()) == id; });
}

bool HasId(const google::protobuf::RepeatedPtrField<v1::ResourceKey>& keys, const ResourceId& id) {
  return std::ranges::any_of(keys, [&](const v1::ResourceKey& key) { return IdOf(key) == id; });
}

v1::Node TheNode() {
  v1::Node node;
  node.set_id("proxy-1");
  return node;
}

class Program {
 public:
  explicit Program(FuzzProgram program) : program_(program) {}

  void Run() {
    for (size_t steps = 0; steps < kMaxSteps && !program_.done(); ++steps) Step();
    Heal();
  }

 private:
  uint8_t Next() { return program_.Next(); }

  void Step() {
    switch (Next() % 8) {
      case 0:
        return Connect(Next() % 2 == 0);
      case 1:
        return Disconnect();
      case 2:
        return RespondAnything();
      case 3:
      case 4:
      case 5:
        return Respond(Made());
      case 6:
      case 7:
        return Finish(Next());
    }
  }

  // --- the stream ---

  void Connect(bool secure) {
    const v1::DiscoveryRequest first = state_.OnConnected(secure);
    CHECK(first.node().id() == "proxy-1");
    CHECK(!first.has_ack());
    std::set<ResourceId> told;
    for (const v1::HeldResource& held : first.held()) {
      const ResourceId id = IdOf(held.key());
      CHECK(told.insert(id).second);
      CHECK(secure || id.type != v1::RESOURCE_SECRET);
      const bool in_doubt = pending_.has_value() && Touches(*pending_, id);
      const auto found = state_.held().find(id);
      if (in_doubt) {
        CHECK(held.version().empty());
      } else {
        CHECK(found != state_.held().end());
        CHECK(found->second->version() == held.version());
      }
    }
    for (const auto& [id, resource] : state_.held()) {
      CHECK(told.contains(id) || id.type == v1::RESOURCE_SECRET);
    }
    Ended();
    connected_ = true;
  }

  void Disconnect() {
    state_.OnDisconnected();
    CHECK(!state_.synced());
    Ended();
    connected_ = false;
  }

  // Nobody waits for these ACKs any longer.
  void Ended() {
    current_.reset();
    waiting_.reset();
  }

  void RespondAnything() {
    v1::DiscoveryResponse response;
    if (ReadFuzzMessage(program_.NextBytes(), response)) Respond(std::move(response));
  }

  v1::DiscoveryResponse Made() {
    v1::DiscoveryResponse response;
    response.set_nonce(StrCat("nonce-", ++nonces_));
    const uint8_t count = Next();
    for (int i = 0; i < 1 + count % 4; ++i) {
      if ((count >> (2 + i)) % 2 == 0) {
        *response.add_changed() = MadeResource();
      } else {
        const ResourceId id = MadeId(Next());
        const uint8_t place = Next();
        *response.add_removed() = place % 2 == 0 ? NewRemoval(id) : NewRemoval(id, PlaceOf(place));
      }
    }
    if (count >= 128) response.set_system_version("all");
    return response;
  }

  static ResourceId MadeId(uint8_t what) {
    const std::string_view name = kNames[what % 2];
    switch (what / 2 % 4) {
      case 0:
        return SecretId(kSecret);
      case 1:
        return EndpointsId(name);
      default:
        return PoolId(name);
    }
  }

  static Place PlaceOf(uint8_t where) {
    return {
        .generation = where / 2u % 8, .uid = StrCat("uid-", where / 16 % 4), .created = where / 64};
  }

  v1::Resource MadeResource() {
    const ResourceId id = MadeId(Next());
    const Place place = PlaceOf(Next());
    const uint8_t what = Next();
    v1::Resource resource = NewResource(id, StrCat("v", what), place);
    if (id.type == v1::RESOURCE_SECRET) {
      resource.mutable_secret()->set_value(StrCat("password-", what % 4));
    } else if (id.type == v1::RESOURCE_ENDPOINTS) {
      for (int i = 0; i < what % 4; ++i) {
        v1::SlotEndpoints& slot = *resource.mutable_endpoints()->add_slots();
        slot.set_slot(StrCat("s", i));
        if (what / 4 % 4 == i) continue;  // of no address so far
        slot.add_addresses(StrCat(what / 64 == i + 1 ? "a-name:" : "10.0.0.1:", 1 + what / 16));
      }
    } else {
      v1::PoolPolicy& policy = *resource.mutable_pool()->mutable_policy();
      policy.set_listen(StrCat("127.0.0.1:", what / 32));  // port 0 is none
      policy.set_redis(true);
      if (what / 8 % 2 == 1) policy.set_redis_auth_secret(kSecret);
      for (int i = 0; i < what % 4; ++i) {
        v1::RingSlot& slot = *resource.mutable_pool()->add_slots();
        slot.set_name(StrCat("s", i));
        slot.set_weight(what / 4 % 2u);
      }
    }
    return resource;
  }

  void Respond(v1::DiscoveryResponse response) {
    if (!connected_) return;
    for (const v1::Resource& resource : response.changed()) seen_.insert(resource.key().name());
    if (pending_.has_value()) {
      waiting_ = response;
    } else {
      current_ = response;
    }
    sent_ += static_cast<size_t>(response.changed_size() + response.removed_size());
    Perform(state_.OnResponse(std::move(response)));
    CheckHeld();
  }

  // --- what is to be done ---

  void Perform(const SubscriptionStep& step) {
    CHECK_EQ(state_.applying(), step.apply.has_value() || pending_.has_value());
    if (step.apply.has_value()) {
      CHECK(!pending_.has_value());
      CheckChange(*step.apply);
      pending_ = step.apply;
    }
    if (step.send.has_value()) {
      CheckAck(*step.send);
    } else {
      CHECK(pending_.has_value() || !current_.has_value());
    }
  }

  void CheckChange(const ResourceChange& change) const {
    CHECK(!change.changed.empty() || !change.removed.empty());
    std::vector<ResourceId> ids;
    for (const HeldResourcePtr& resource : change.changed) {
      CHECK(HasBodyOfItsType(*resource));
      ids.push_back(IdOf(resource->key()));
    }
    CHECK(std::ranges::is_sorted(ids));
    for (const ResourceId& id : change.removed) {
      CHECK(state_.held().contains(id));
      ids.push_back(id);
    }
    CHECK_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
  }

  // It is of the response that the server waits for, and says what became of all it brought.
  void CheckAck(const v1::DiscoveryRequest& request) {
    CHECK(current_.has_value());
    const v1::DiscoveryResponse response = *std::exchange(current_, std::nullopt);
    const v1::Ack& ack = request.ack();
    CHECK(ack.nonce() == response.nonce());
    for (const v1::ResourceError& error : ack.errors()) {
      CHECK(Names(response.changed(), IdOf(error.key())));
      CHECK(!error.error_detail().empty());
    }
    for (const v1::Resource& resource : response.changed()) {
      const ResourceId id = IdOf(resource.key());
      if (Names(ack.errors(), id) || HasId(ack.stale(), id)) continue;
      const auto held = state_.held().find(id);
      CHECK(held != state_.held().end());
      CHECK(std::ranges::any_of(response.changed(), [&](const v1::Resource& offered) {
        return IdOf(offered.key()) == id && offered.version() == held->second->version();
      }));
    }
    for (const v1::RemovedResource& removal : response.removed()) {
      const ResourceId id = IdOf(removal.key());
      const bool stays = HasId(ack.stale(), id) || Names(response.changed(), id);
      CHECK(stays || !state_.held().contains(id));
    }
  }

  // The change comes to force, but for pools whose addresses `taken` names somebody else to have.
  void Finish(uint8_t taken) {
    if (!pending_.has_value()) return;
    const ResourceChange change = *std::exchange(pending_, std::nullopt);
    const std::vector<v1::ResourceError> errors = Apply(change, taken);
    const bool answered = current_.has_value();
    const std::optional<v1::DiscoveryResponse> next = std::exchange(waiting_, std::nullopt);
    const SubscriptionStep step = state_.OnApplied(errors);
    if (next.has_value() && !step.apply.has_value()) {
      current_ = next;  // its ACK is for both
    } else {
      CHECK_EQ(step.send.has_value(), answered);
    }
    Perform(step);
    if (next.has_value() && step.apply.has_value()) current_ = next;
    CheckHeld();
  }

  // --- what is in force ---

  static bool Touches(const ResourceChange& change, const ResourceId& id) {
    return std::ranges::find(change.removed, id) != change.removed.end() ||
           std::ranges::any_of(change.changed, [&](const HeldResourcePtr& resource) {
             return IdOf(resource->key()) == id;
           });
  }

  // Whether the change has to do with the pool, also by the secret it wants or wanted.
  bool Touches(const ResourceChange& change, const std::string& pool) const {
    if (Touches(change, PoolId(pool)) || Touches(change, EndpointsId(pool))) return true;
    const auto held = state_.held().find(PoolId(pool));
    return held != state_.held().end() &&
           Touches(change, SecretId(held->second->pool().policy().redis_auth_secret()));
  }

  // As the proxy does it (proxy/server/control_link.cc).
  std::vector<v1::ResourceError> Apply(const ResourceChange& change, uint8_t taken) {
    const ServedPools before = served_;
    SnapshotDecoder decoder(state_.held(), before, change);
    bool again = true;
    for (size_t rounds = 0; again; ++rounds) {
      CHECK(rounds <= change.changed.size());
      again = false;
      const DecodedPools decoded = decoder.Decode();
      for (const std::string& name : decoded.removed) {
        CHECK(Touches(change, name));
        served_.erase(name);
      }
      for (const auto& [name, config] : decoded.changed) {
        CHECK(Touches(change, name));
        const auto old = before.find(name);
        const bool as_before = old != before.end() && old->second == config;
        if (!as_before && config.listen.endpoint.port == taken % 8) {
          again |= decoder.Refuse(name, "policy.listen", "somebody else has it");
        } else {
          served_[name] = config;
        }
      }
    }
    std::set<ResourceId> blamed;
    for (const v1::ResourceError& error : decoder.errors()) {
      const ResourceId id = IdOf(error.key());
      CHECK(blamed.insert(id).second);
      CHECK(std::ranges::any_of(change.changed, [&](const HeldResourcePtr& resource) {
        return IdOf(resource->key()) == id && resource->version() == error.version();
      }));
    }
    return decoder.errors();
  }

  void CheckHeld() {
    CheckHistory();
    CheckServed();
    last_held_ = state_.held();
  }

  // Nothing went back.
  void CheckHistory() {
    for (const auto& [id, resource] : state_.held()) {
      const auto old = last_held_.find(id);
      if (old != last_held_.end()) CHECK(!IsOlder(*resource, *old->second));
      uint64_t& latest = generations_[{id, resource->uid()}];
      CHECK(resource->generation() >= latest || sent_ > kRemembered);
      latest = resource->generation();
    }
  }

  void CheckServed() const {
    ResourceChange everything;
    for (const auto& [id, resource] : state_.held()) {
      if (id.type == v1::RESOURCE_POOL) CHECK(served_.contains(id.name));
      auto kept = std::make_shared<v1::Resource>(*resource);
      const auto served = served_.find(id.name);
      if (kept->has_endpoints() && served != served_.end()) AddServedSlots(served->second, *kept);
      everything.changed.push_back(std::move(kept));
    }
    const HeldResources nothing;
    const ServedPools nobody;
    const DecodedPools anew = SnapshotDecoder(nothing, nobody, everything).Decode();
    for (const auto& [name, config] : served_) {
      const auto pool = state_.held().find(PoolId(name));
      CHECK(pool != state_.held().end());
      // What was taken back and is served on does not outlive the process.
      const std::string& secret = pool->second->pool().policy().redis_auth_secret();
      if (!state_.held().contains(EndpointsId(name))) continue;
      if (!secret.empty() && !state_.held().contains(SecretId(secret))) continue;
      const auto found = anew.changed.find(name);
      CHECK(found != anew.changed.end());
      CHECK(found->second == config);
    }
  }

  void Heal() {
    Finish(0xff);
    Finish(0xff);  // of the response that waited
    Connect(true);
    std::string name = "healed";
    while (seen_.contains(name)) name += 'x';
    v1::Resource pool = NewResource(PoolId(name), "p", {});
    pool.mutable_pool()->mutable_policy()->set_listen("/healed");
    pool.mutable_pool()->mutable_policy()->set_redis(true);
    pool.mutable_pool()->add_slots()->set_name("s0");
    pool.mutable_pool()->mutable_slots(0)->set_weight(1);
    v1::Resource endpoints = NewResource(EndpointsId(name), "e", {});
    endpoints.mutable_endpoints()->add_slots()->set_slot("s0");
    endpoints.mutable_endpoints()->mutable_slots(0)->add_addresses("10.0.0.1:6379");
    v1::DiscoveryResponse response;
    response.set_nonce("the last one");
    *response.add_changed() = pool;
    *response.add_changed() = endpoints;
    Respond(response);
    CHECK(current_.has_value());
    Finish(0xff);
    CHECK(!current_.has_value());
    CHECK(served_.contains(name));
    CHECK(served_.at(name).servers.size() == 1);
  }

  FuzzProgram program_;
  SubscriptionState state_{TheNode(), {}};
  ServedPools served_;
  std::optional<ResourceChange> pending_;

  // The control plane.
  bool connected_ = false;
  uint64_t nonces_ = 0;
  std::optional<v1::DiscoveryResponse> current_;  // to be acknowledged next
  std::optional<v1::DiscoveryResponse> waiting_;
  std::set<std::string> seen_;  // names that were sent
  size_t sent_ = 0;             // resources and removals
  HeldResources last_held_;
  std::map<std::pair<ResourceId, std::string>, uint64_t> generations_;
};

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::Log::SetLevel(0);
  weir::Program(weir::FuzzProgram(data, size)).Run();
  return 0;
}
