// What is known of one connected proxy: who it is, what it wants, what it holds and what it has
// refused.
//
// Written by the proxy's stream, one call at a time; read by whoever lists proxies or waits for
// them. Thread-safe. Shared by the stream and ProxyRegistry; ends with the later of the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "controlplane/cache/cached_resource.h"
#include "weir/v1/admin.pb.h"

namespace weir {

// What a proxy does not hold as it should.
struct Difference {
  std::vector<ResourcePtr> changed;  // ascending by id
  std::vector<v1::RemovedResource> removed;
  bool complete = true;          // false: there is more than was asked for
  bool declined = false;         // something is left out that the proxy would not take
  SystemVersion system_version;  // of everything that the proxy is meant to hold

  bool empty() const { return changed.empty() && removed.empty(); }
};

// How a proxy answered a response.
struct AckResult {
  size_t taken = 0;  // in force now, or gone
  std::vector<v1::ResourceError> refused;
  // Older than what it holds or held, and left alone; the reason says which state that is.
  std::vector<v1::ResourceError> stale;
};

// A state of a resource that somebody waits for; without a version: that it is gone.
struct AckTarget {
  ResourceId id;
  std::string version;
  std::string uid;
  uint64_t generation = 0;
};

AckTarget AckTargetOf(const v1::Resource& resource);
AckTarget AckTargetOfRemoval(ResourceId id);

class ProxyState {
 public:
  // What a proxy sends is kept up to so many bytes: an error, a name in a report.
  static constexpr size_t kMaxErrorBytes = 1024;
  static constexpr size_t kMaxNameBytes = 255;
  // What Describe shows of errors and then of applied versions, about: the rest is left out.
  static constexpr size_t kMaxDescribedBytes = 1 << 20;
  // Shards of a report that are kept, ejected ones first.
  static constexpr size_t kMaxReportedShards = 1000;

  // Of what it holds and nobody here has heard of, so many are remembered: the rest is sent anew
  // when it comes to be known.
  static constexpr size_t kMaxUnknownHeld = 1000;

  // `address`: where it is connected from, for people. `secure`: its transport hides what it
  // carries; without that it is meant to hold no secrets, and those it has are none of our
  // business.
  ProxyState(std::string address, absl::Time connected, bool secure);
  ProxyState(const ProxyState&) = delete;
  ProxyState& operator=(const ProxyState&) = delete;

  // --- The stream ---

  // The first request. REQUIRES: called once, before what follows.
  void Open(v1::Node node, const google::protobuf::RepeatedPtrField<v1::HeldResource>& held);
  // From now on it wants these pools; all of its fleet when empty.
  void Subscribe(std::set<std::string, std::less<>> pools);
  // What to send, about `max_bytes` of it but at least one resource with its neighbour of the same
  // name. Left out is a resource that the proxy has refused, until it or what the proxy holds
  // beside it (Beside) is another one; what is older than what the proxy holds, a removal too,
  // until it is another state; and the removal of a pool that is not known (PoolPlaces), of which
  // kMaxUnknownHeld are remembered. Secrets
  // are taken back last, when the proxy has everything else as it should. REQUIRES: max_bytes > 0.
  Difference Missing(const FleetView& view, size_t max_bytes);
  // It has answered a response with these resources. What `ack` says of others is ignored.
  AckResult Answer(std::span<const ResourcePtr> changed,
                   std::span<const v1::RemovedResource> removed, const v1::Ack& ack);
  // Keeps the last report; not what it says is applied, which ACKs have told.
  void Reported(const v1::Report& report, absl::Time now);

  // --- Everybody ---

  // REQUIRES: Open was called.
  std::string node_id() const;
  const std::string& address() const { return address_; }
  std::string fleet() const;
  bool Wants(std::string_view pool) const;
  // ACKED when it holds all targets or states that it was sent later, NACKED when it has refused
  // one, or left it alone as older than what it holds: what it serves then nobody here knows.
  // Nothing while it has not answered.
  std::optional<v1::ProxyResult> OutcomeOf(std::span<const AckTarget> targets) const;
  // For people. `view`: what its fleet has, to tell whether it is in sync. Of what it holds, has
  // refused and reports of shards only what concerns `pool`, if that is not empty. Without secrets:
  // their versions would help to guess them.
  v1::Proxy Describe(const FleetView& view, std::string_view pool = {}) const;

 private:
  struct Declined {
    ResourcePtr resource;          // null: its removal
    v1::RemovedResource removal;   // then as of this
    bool stale = false;            // older than what it holds; else refused
    v1::ResourceError error = {};  // why
    std::string beside = {};       // what it held when it refused, see Beside
  };

  struct Entry {
    ResourcePtr held;                    // null: nothing
    std::unique_ptr<Declined> declined;  // the last offer, when it was not taken

    bool IsJust(const ResourcePtr& resource) const {
      return held == resource && declined == nullptr;
    }
  };
  using Entries = absl::btree_map<ResourceId, Entry>;

  // The resources that are looked at: all, or those of one pool and the secret it refers to.
  struct Scope {
    std::string pool;  // empty: all
    std::string secret;

    bool Has(const ResourceId& id) const {
      if (pool.empty()) return true;
      return id.name == (id.type == v1::RESOURCE_SECRET ? secret : pool);
    }
  };

  static Scope ScopeOf(const FleetView& view, std::string_view pool);
  bool Serves(v1::ResourceType type) const;
  // All of these need `mutex_`.
  bool Covers(const CachedResource& resource, const std::set<std::string_view>& secrets) const;
  std::set<std::string_view> WantedSecrets(const FleetView& view) const;
  bool Misses(Entry& entry, const ResourcePtr& resource) const;
  // What it holds of the resources with which this one makes a pool: when a secret or the other
  // half of the pool comes, a refusal may have lost its reason.
  std::string Beside(const CachedResource& resource) const;
  std::string_view HeldVersion(const ResourceId& id) const;
  // `unknown` counts the resources of which nobody has heard.
  Entries::iterator Uncover(Entries::iterator entry, const FleetView& view, Difference& difference,
                            size_t& unknown);
  static std::optional<v1::RemovedResource> RemovalOf(const ResourceId& id, const FleetView& view);
  bool Has(const AckTarget& target) const;
  const v1::ResourceError* RefusalOf(const AckTarget& target) const;
  bool InSync(const FleetView& view, const Scope& scope) const;

  const std::string address_;
  const absl::Time connected_;
  const bool secure_;

  mutable std::mutex mutex_;
  v1::Node node_;
  std::set<std::string, std::less<>> pools_;  // empty: all
  Entries entries_;
  bool forgot_ = false;  // it holds more than `entries_` has: kMaxUnknownHeld
  std::unique_ptr<v1::Report> report_;
  absl::Time reported_;
};

using ProxyPtr = std::shared_ptr<ProxyState>;

}  // namespace weir
