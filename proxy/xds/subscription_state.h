// The proxy's side of the discovery stream: what is in force, and what to answer the server.
//
//   OnConnected -> first request
//   OnResponse  -> a change to build and publish -> OnApplied -> ACK
//
// It never goes back: what is older than what it holds or held (proto/resource_order.h), or removed
// as of an older state, is left alone and named in the ACK as stale, with the newer state. What was
// held is remembered for the last 256 resources that went, and not over restarts.
//
// Pure: no gRPC, no thread, no clock. One owner makes one call at a time. It outlives streams: what
// is in force stays when one ends, and the next one is told of it, so that nothing comes twice.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/resource_id.h"

namespace weir {

using HeldResourcePtr = std::shared_ptr<const v1::Resource>;

// What a response brings: resources that take the place of those of the same id, and ids to forget.
// Never empty.
struct ResourceChange {
  std::vector<HeldResourcePtr> changed;  // ascending by id, each once: what is referred to first
  std::vector<ResourceId> removed;
};

// What to do next; both may be there.
struct SubscriptionStep {
  // To be built and put in force in every worker; then OnApplied is called, exactly once.
  std::optional<ResourceChange> apply;
  // To be sent on the stream.
  std::optional<v1::DiscoveryRequest> send;
};

class SubscriptionState {
 public:
  // `pools`: all of the node's fleet when empty.
  SubscriptionState(v1::Node node, std::vector<std::string> pools);
  SubscriptionState(const SubscriptionState&) = delete;
  SubscriptionState& operator=(const SubscriptionState&) = delete;

  // Takes resources as in force that did not come down a stream: the last good state, or more of
  // it. REQUIRES: before the first response; the next request is OnConnected's; bodies of their
  // types.
  void Restore(std::vector<v1::Resource> resources);

  // A stream has opened; the first request of it. What a change that is still being applied touches
  // is said to be held in an unknown version, so that the server sends it, or takes it back, in any
  // case. `secure`: it hides what it carries. Without that
  // the versions of secrets, which would help to guess them, are kept back.
  v1::DiscoveryRequest OnConnected(bool secure);
  // It has ended. A change that is being applied goes on, without an ACK.
  void OnDisconnected();

  // A response came. While a change is being applied it waits; a server that sends a third one
  // meanwhile breaks the protocol, and only the last is kept.
  SubscriptionStep OnResponse(v1::DiscoveryResponse response);
  // The change is in force but for the resources that `errors` name; those stay as they were.
  // Removals cannot fail: what `errors` say of them, or of others, is ignored.
  SubscriptionStep OnApplied(const std::vector<v1::ResourceError>& errors);

  // In force, by id.
  const std::map<ResourceId, HeldResourcePtr>& held() const { return held_; }
  // True once a server has said that this is all there is, until the stream ends. What it sent with
  // those words may still be being applied.
  bool synced() const { return synced_; }
  const std::string& system_version() const { return system_version_; }
  bool applying() const { return applying_.has_value(); }

 private:
  static constexpr size_t kMaxRetired = 256;

  struct Applying {
    ResourceChange change;
    std::vector<v1::RemovedResource> removals;  // those of `change.removed`, in its order
    std::optional<v1::Ack> ack;                 // none when the stream that wants it has ended
  };

  SubscriptionStep Begin(const v1::DiscoveryResponse& response);
  void Offer(const v1::Resource& resource, std::map<ResourceId, HeldResourcePtr>& changed,
             v1::Ack& ack) const;
  void OfferRemoval(const v1::RemovedResource& removal,
                    std::map<ResourceId, const v1::RemovedResource*>& removed, v1::Ack& ack) const;
  // The state, held now or once, that is newer than `resource`; nothing: none is.
  std::optional<v1::HeldState> FindNewer(const ResourceId& id, const v1::Resource& resource) const;
  void Hold(HeldResourcePtr resource);
  void Forget(const v1::RemovedResource& removal);
  void Retire(v1::RemovedResource last);

  const v1::Node node_;
  const std::vector<std::string> pools_;

  std::map<ResourceId, HeldResourcePtr> held_;
  // Resources that were replaced by another uid or removed, as of their last state, oldest first:
  // who offers an older one is behind.
  std::deque<v1::RemovedResource> retired_;
  std::optional<Applying> applying_;
  std::optional<v1::DiscoveryResponse> waiting_;
  bool synced_ = false;
  std::string system_version_;
};

}  // namespace weir
