// Random schedules over both ends of the discovery stream: two servers over one history, the second
// one behind; proxies that connect now to the one, now to the other, lose their stream at any
// moment, take their time to apply, and refuse what they are told to refuse. Whatever happens,
//   - a proxy never goes back: not to an older generation or an earlier uid, nor from a pool to
//   none
//     unless that very pool was deleted, or its secret is wanted no more;
//   - a server has one response on its way to a proxy, and never one that says nothing but the
//   first;
//   - when it is quiet, each proxy holds exactly what its fleet has, and coming again brings
//   nothing.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/cache/resource_cache.h"
#include "controlplane/stream/discovery_stream.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/resource_order.h"
#include "proxy/base/check.h"
#include "proxy/xds/subscription_state.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  int Below(int count) { return static_cast<int>(random_() % static_cast<uint32_t>(count)); }
  bool OneIn(int count) { return Below(count) == 0; }

 private:
  std::mt19937 random_;
};

// One change of the declared state; the same for every server that gets to it.
struct Event {
  std::string fleet;
  std::string name;
  std::optional<v1::Resource> pool;  // nothing: the pool is removed
  v1::Resource endpoints;
  v1::RemovedResource removal;
  int64_t deleted = 0;                 // when
  std::optional<v1::Resource> secret;  // instead of all that
};

// What has happened so far, made up as it goes on.
class History {
 public:
  const std::vector<Event>& events() const { return events_; }
  // Whether the pool of this uid was deleted.
  bool WasDeleted(const std::string& uid) const { return deleted_.contains(uid); }

  void GoOn(Dice& dice) {
    static constexpr std::string_view kNames[] = {"alpha", "beta", "gamma", "delta"};
    const std::string_view name = kNames[dice.Below(4)];
    if (dice.OneIn(8)) return ChangeSecret(name, dice);
    Pool& pool = pools_[std::string(name)];
    if (pool.exists && dice.OneIn(8)) return Remove(name, pool);
    if (!pool.exists) {
      pool.exists = true;
      pool.created = ++time_;
      pool.uid = StrCat("uid-", pool.created);
      pool.generation = 0;
    }
    ++pool.generation;
    // Few contents, so that old ones come back.
    if (pool.generation == 1 || dice.OneIn(2)) pool.content = StrCat("p", dice.Below(4));
    if (pool.generation == 1 || dice.OneIn(2)) pool.addresses = StrCat("e", dice.Below(4));
    const Place place = PlaceOf(pool);
    // A policy is part of the content that its version stands for.
    const std::string secret = pool.content == "p3" ? std::string(name) : "";
    events_.push_back({.fleet = FleetOf(name),
                       .name = std::string(name),
                       .pool = NewPool(name, pool.content, place, secret),
                       .endpoints = NewEndpoints(name, pool.addresses, place),
                       .removal = {},
                       .secret = {}});
  }

 private:
  struct Pool {
    bool exists = false;
    int64_t created = 0;  // its uid is made of it
    std::string uid;
    uint64_t generation = 0;
    std::string content;
    std::string addresses;
  };

  static std::string FleetOf(std::string_view name) { return name == "delta" ? "green" : "blue"; }

  static Place PlaceOf(const Pool& pool) {
    return {.generation = pool.generation, .uid = pool.uid, .created = pool.created};
  }

  void Remove(std::string_view name, Pool& pool) {
    pool.exists = false;
    ++pool.generation;
    deleted_.insert(pool.uid);
    events_.push_back({.fleet = FleetOf(name),
                       .name = std::string(name),
                       .pool = {},
                       .endpoints = {},
                       .removal = NewRemoval(PoolId(name), PlaceOf(pool)),
                       .deleted = ++time_,
                       .secret = {}});
  }

  void ChangeSecret(std::string_view name, Dice& dice) {
    events_.push_back({.fleet = {},
                       .name = {},
                       .pool = {},
                       .endpoints = {},
                       .removal = {},
                       .secret = NewSecret(name, StrCat("s", dice.Below(4)),
                                           {.generation = ++secret_generation_})});
  }

  std::vector<Event> events_;
  std::map<std::string, Pool> pools_;
  std::set<std::string> deleted_;  // uids
  int64_t time_ = 0;
  uint64_t secret_generation_ = 0;
};

// A control plane that has got so far in the history.
class Server {
 public:
  explicit Server(const History& history) : history_(history) {}

  ResourceCache& cache() { return cache_; }

  bool CatchesUp() {
    if (next_ == history_.events().size()) return false;
    const Event& event = history_.events()[next_++];
    if (event.secret.has_value()) {
      cache_.SetSecret(*event.secret);
    } else if (event.pool.has_value()) {
      cache_.SetPool(event.fleet, *event.pool, event.endpoints);
    } else {
      deleted_.insert(deleted_.begin(), event.removal);
      if (deleted_.size() > kRemembered) {
        deleted_.pop_back();
        forgotten_before_.emplace().set_seconds(event.deleted);
      }
      cache_.SetDeleted(deleted_, forgotten_before_);
      cache_.RemovePool(event.fleet, event.name);
    }
    return true;
  }

 private:
  // Few, so that some are forgotten.
  static constexpr size_t kRemembered = 3;

  const History& history_;
  ResourceCache cache_;
  std::vector<v1::RemovedResource> deleted_;  // newest first
  std::optional<google::protobuf::Timestamp> forgotten_before_;
  size_t next_ = 0;
};

// A stream with what is on its way in both directions, as bytes.
class Link {
 public:
  Link(Server& server, const v1::DiscoveryRequest& first)
      : watch_(server.cache().Watch("blue", [] {})),
        stream_(std::make_shared<ProxyState>("", absl::UnixEpoch(), /*secure=*/true),
                {.response_bytes = 60}) {
    Ask(first);
  }

  void Ask(const v1::DiscoveryRequest& request) {
    to_server_.push_back(request.SerializeAsString());
  }

  bool ServerReads() {
    if (to_server_.empty()) return false;
    v1::DiscoveryRequest request;
    CHECK(request.ParseFromString(to_server_.front()));
    to_server_.pop_front();
    const auto outcome = stream_.OnRequest(request, absl::UnixEpoch());
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return true;
  }

  bool ServerSpeaks() {
    const auto response = stream_.NextResponse(*watch_->Take());
    if (!response.has_value()) return false;
    EXPECT_THAT(to_proxy_, IsEmpty());
    const bool says_something = !response->changed.empty() || response->head.removed_size() > 0;
    EXPECT_TRUE(says_something || response->head.nonce() == "1");
    to_proxy_.push_back(response->Encode());
    return true;
  }

  std::optional<v1::DiscoveryResponse> ProxyReads() {
    if (to_proxy_.empty()) return std::nullopt;
    v1::DiscoveryResponse response;
    CHECK(response.ParseFromString(to_proxy_.front()));
    to_proxy_.pop_front();
    return response;
  }

 private:
  std::unique_ptr<ResourceWatch> watch_;
  DiscoveryStream stream_;
  std::deque<std::string> to_server_;
  std::deque<std::string> to_proxy_;
};

class Proxy {
 public:
  explicit Proxy(const History& history) : history_(history), state_(Node(), {}) {}

  bool connected() const { return link_ != nullptr; }

  void Connects(Server& server) {
    link_ = std::make_unique<Link>(server, state_.OnConnected(/*secure=*/true));
    resources_read_ = 0;
  }
  void LosesItsStream() {
    state_.OnDisconnected();
    link_.reset();
  }

  // Each does one thing, if there is one to do.
  bool Reads() {
    if (link_ == nullptr) return false;
    std::optional<v1::DiscoveryResponse> response = link_->ProxyReads();
    if (!response.has_value()) return false;
    resources_read_ += response->changed_size() + response->removed_size();
    Take(state_.OnResponse(*std::move(response)));
    return true;
  }
  bool Applies(Dice* refuses = nullptr) {
    if (!change_.has_value()) return false;
    std::vector<v1::ResourceError> errors;
    for (const HeldResourcePtr& resource : change_->changed) {
      if (refuses == nullptr || !refuses->OneIn(6)) continue;
      errors.push_back(ErrorOf(IdOf(resource->key()), "policy.listen", "in use"));
    }
    change_.reset();
    const std::map<ResourceId, HeldResourcePtr> before = state_.held();
    Take(state_.OnApplied(errors));
    CheckStates(before);
    return true;
  }
  bool ServerReads() { return link_ != nullptr && link_->ServerReads(); }
  bool ServerSpeaks() { return link_ != nullptr && link_->ServerSpeaks(); }

  // Until nobody has anything to say.
  void GoesQuiet() {
    for (bool busy = true; busy;) {
      busy = Applies();
      busy = ServerReads() || busy;
      busy = ServerSpeaks() || busy;
      busy = Reads() || busy;
    }
  }

  bool synced() const { return state_.synced(); }
  // Since it connected.
  int resources_read() const { return resources_read_; }

  std::vector<std::string> Holds() const {
    std::vector<std::string> lines;
    for (const auto& [id, resource] : state_.held()) lines.push_back(Line(*resource));
    return lines;
  }

 private:
  static v1::Node Node() {
    v1::Node node;
    node.set_id("proxy");
    node.set_fleet("blue");
    return node;
  }

  void Take(SubscriptionStep step) {
    if (step.apply.has_value()) change_ = std::move(step.apply);
    if (step.send.has_value() && link_ != nullptr) link_->Ask(*step.send);
  }

  void CheckStates(const std::map<ResourceId, HeldResourcePtr>& before) {
    for (const auto& [id, resource] : state_.held()) {
      v1::Resource& newest = newest_[id];
      EXPECT_FALSE(IsOlder(*resource, newest))
          << Line(*resource) << " " << resource->uid() << "/" << resource->generation();
      newest = *resource;
    }
    for (const auto& [id, resource] : before) {
      if (id.type == v1::RESOURCE_SECRET || state_.held().contains(id)) continue;
      EXPECT_TRUE(history_.WasDeleted(resource->uid())) << Line(*resource) << resource->uid();
    }
  }

  const History& history_;
  SubscriptionState state_;
  std::unique_ptr<Link> link_;
  std::optional<ResourceChange> change_;
  std::map<ResourceId, v1::Resource> newest_;
  int resources_read_ = 0;
};

class World {
 public:
  explicit World(uint32_t seed)
      : dice_(seed),
        servers_{Server(history_), Server(history_)},
        proxies_{Proxy(history_), Proxy(history_), Proxy(history_)} {}

  void Step() {
    Proxy& proxy = proxies_[dice_.Below(3)];
    switch (dice_.Below(16)) {
      case 0:
      case 1:
        history_.GoOn(dice_);
        servers_[0].CatchesUp();
        return;
      case 2:
        servers_[1].CatchesUp();
        return;
      case 3:
        if (proxy.connected() && dice_.OneIn(2)) proxy.LosesItsStream();
        return;
      case 4:
      case 5:
        if (!proxy.connected()) proxy.Connects(servers_[dice_.OneIn(3) ? 1 : 0]);
        return;
      case 6:
      case 7:
      case 8:
        proxy.Reads();
        return;
      case 9:
      case 10:
        proxy.Applies(&dice_);
        return;
      case 11:
      case 12:
        proxy.ServerReads();
        return;
      default:
        proxy.ServerSpeaks();
        return;
    }
  }

  void EndsWell() {
    while (servers_[1].CatchesUp()) {
    }
    std::vector<std::string> latest;
    for (const ResourcePtr& resource : servers_[0].cache().View("blue")->resources) {
      latest.push_back(Line(resource->message));
    }
    for (Proxy& proxy : proxies_) {
      // A new stream offers again what the proxy has refused.
      if (proxy.connected()) proxy.LosesItsStream();
      proxy.Connects(servers_[dice_.Below(2)]);
      proxy.GoesQuiet();
      EXPECT_TRUE(proxy.synced());
      EXPECT_THAT(proxy.Holds(), ElementsAreArray(latest));

      proxy.LosesItsStream();
      proxy.Connects(servers_[dice_.Below(2)]);
      proxy.GoesQuiet();
      EXPECT_TRUE(proxy.synced());
      EXPECT_EQ(proxy.resources_read(), 0);
    }
  }

 private:
  Dice dice_;
  History history_;
  Server servers_[2];
  Proxy proxies_[3];
};

TEST(ConvergenceTest, ProxiesNeverGoBackAndEndWithTheLatestState) {
  for (uint32_t seed = 1; seed <= 300 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    for (int step = 0; step < 400; ++step) world.Step();
    world.EndsWell();
  }
}

}  // namespace
}  // namespace weir
