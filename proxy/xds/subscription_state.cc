#include "proxy/xds/subscription_state.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "proto/resource_order.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

v1::DiscoveryRequest RequestWith(v1::Ack ack) {
  v1::DiscoveryRequest request;
  *request.mutable_ack() = std::move(ack);
  return request;
}

void AddError(const v1::Resource& resource, std::string_view field, std::string_view detail,
              v1::Ack& ack) {
  v1::ResourceError& error = *ack.add_errors();
  *error.mutable_key() = resource.key();
  error.set_version(resource.version());
  error.set_field(std::string(field));
  error.set_error_detail(std::string(detail));
}

// `held` where `offered`, of the same version, is in the history. The body stays the one that is in
// force, whatever a server sends under its version.
HeldResourcePtr AtPlaceOf(const v1::Resource& offered, const v1::Resource& held) {
  auto moved = std::make_shared<v1::Resource>(held);
  moved->set_uid(offered.uid());
  moved->set_generation(offered.generation());
  moved->clear_created();
  if (offered.has_created()) *moved->mutable_created() = offered.created();
  return moved;
}

template <typename State>
v1::HeldState HeldStateOf(const State& state) {
  v1::HeldState held;
  *held.mutable_key() = state.key();
  held.set_uid(state.uid());
  held.set_generation(state.generation());
  if (state.has_created()) *held.mutable_created() = state.created();
  return held;
}

void AddStale(v1::HeldState newer, v1::Ack& ack) {
  *ack.add_stale() = newer.key();
  *ack.add_newer() = std::move(newer);
}

v1::RemovedResource LastStateOf(const v1::Resource& resource) {
  v1::RemovedResource last;
  *last.mutable_key() = resource.key();
  last.set_uid(resource.uid());
  last.set_generation(resource.generation());
  if (resource.has_created()) *last.mutable_created() = resource.created();
  return last;
}

}  // namespace

SubscriptionState::SubscriptionState(v1::Node node, std::vector<std::string> pools)
    : node_(std::move(node)), pools_(std::move(pools)) {}

void SubscriptionState::Restore(std::vector<v1::Resource> resources) {
  for (v1::Resource& resource : resources) {
    CHECK(HasBodyOfItsType(resource));
    Hold(std::make_shared<v1::Resource>(std::move(resource)));
  }
}

v1::DiscoveryRequest SubscriptionState::OnConnected(bool secure) {
  OnDisconnected();
  v1::DiscoveryRequest request;
  *request.mutable_node() = node_;
  // What it will be of these nobody knows yet.
  std::map<ResourceId, std::string> versions;
  if (applying_.has_value()) {
    for (const HeldResourcePtr& resource : applying_->change.changed) {
      versions.emplace(IdOf(resource->key()), "");
    }
    for (const ResourceId& id : applying_->change.removed) versions.emplace(id, "");
  }
  for (const auto& [id, resource] : held_) versions.emplace(id, resource->version());
  for (const auto& [id, version] : versions) {
    if (id.type == v1::RESOURCE_SECRET && !secure) continue;
    v1::HeldResource& held = *request.add_held();
    *held.mutable_key() = KeyOf(id);
    held.set_version(version);
  }
  v1::Subscription& subscription = *request.mutable_subscription();
  for (const std::string& pool : pools_) subscription.add_pools(pool);
  return request;
}

void SubscriptionState::OnDisconnected() {
  synced_ = false;
  waiting_.reset();
  if (applying_.has_value()) applying_->ack.reset();
}

SubscriptionStep SubscriptionState::OnResponse(v1::DiscoveryResponse response) {
  if (applying_.has_value()) {
    waiting_ = std::move(response);
    return {};
  }
  return Begin(response);
}

SubscriptionStep SubscriptionState::OnApplied(const std::vector<v1::ResourceError>& errors) {
  CHECK(applying_.has_value());
  Applying applied = *std::exchange(applying_, std::nullopt);
  for (HeldResourcePtr& resource : applied.change.changed) {
    const ResourceId id = IdOf(resource->key());
    const auto error = std::ranges::find(
        errors, id, [](const v1::ResourceError& candidate) { return IdOf(candidate.key()); });
    if (error == errors.end()) {
      Hold(std::move(resource));
    } else if (applied.ack.has_value()) {
      AddError(*resource, error->field(), error->error_detail(), *applied.ack);
    }
  }
  for (const v1::RemovedResource& removal : applied.removals) Forget(removal);

  SubscriptionStep step;
  if (waiting_.has_value()) step = Begin(*std::exchange(waiting_, std::nullopt));
  // Of two answers the later one is for the response that the server waits for.
  if (!step.send.has_value() && applied.ack.has_value()) {
    step.send = RequestWith(*std::move(applied.ack));
  }
  return step;
}

SubscriptionStep SubscriptionState::Begin(const v1::DiscoveryResponse& response) {
  if (!response.system_version().empty()) {
    synced_ = true;
    system_version_ = response.system_version();
  }
  Applying next;
  v1::Ack& ack = next.ack.emplace();
  ack.set_nonce(response.nonce());
  std::map<ResourceId, HeldResourcePtr> changed;
  for (const v1::Resource& resource : response.changed()) Offer(resource, changed, ack);
  for (auto& [id, resource] : changed) {
    const auto held = held_.find(id);
    if (held != held_.end() && held->second->version() == resource->version()) {
      // The content is in force; only its place in the history is another one.
      Hold(AtPlaceOf(*resource, *held->second));
    } else {
      next.change.changed.push_back(std::move(resource));
    }
  }
  std::map<ResourceId, const v1::RemovedResource*> removed;
  for (const v1::RemovedResource& removal : response.removed()) {
    if (!changed.contains(IdOf(removal.key()))) OfferRemoval(removal, removed, ack);
  }
  for (const auto& [id, removal] : removed) {
    next.change.removed.push_back(id);
    next.removals.push_back(*removal);
  }
  if (next.change.changed.empty() && next.change.removed.empty()) {
    return {.apply = std::nullopt, .send = RequestWith(std::move(ack))};
  }
  applying_ = std::move(next);
  return {.apply = applying_->change, .send = std::nullopt};
}

// Puts a resource on the list of those to apply, or says in the ACK why not.
void SubscriptionState::Offer(const v1::Resource& resource,
                              std::map<ResourceId, HeldResourcePtr>& changed, v1::Ack& ack) const {
  const ResourceId id = IdOf(resource.key());
  if (id.name.empty()) return AddError(resource, "key.name", "want a name", ack);
  if (!HasBodyOfItsType(resource)) {
    return AddError(resource, "key.type", "want a known type, and a body of that type", ack);
  }
  if (auto newer = FindNewer(id, resource); newer.has_value()) {
    AddStale(*std::move(newer), ack);
  } else {
    changed[id] = std::make_shared<v1::Resource>(resource);
  }
}

// The same for a removal of what is held.
void SubscriptionState::OfferRemoval(const v1::RemovedResource& removal,
                                     std::map<ResourceId, const v1::RemovedResource*>& removed,
                                     v1::Ack& ack) const {
  const ResourceId id = IdOf(removal.key());
  const auto held = held_.find(id);
  if (held == held_.end()) return;
  if (IsOlder(removal, *held->second)) {
    AddStale(HeldStateOf(*held->second), ack);
  } else {
    removed[id] = &removal;
  }
}

std::optional<v1::HeldState> SubscriptionState::FindNewer(const ResourceId& id,
                                                          const v1::Resource& resource) const {
  const auto held = held_.find(id);
  if (held != held_.end()) {
    if (IsOlder(resource, *held->second)) return HeldStateOf(*held->second);
    if (held->second->uid() == resource.uid()) return std::nullopt;
  }
  const auto retired = std::ranges::find_if(retired_, [&](const v1::RemovedResource& candidate) {
    return IdOf(candidate.key()) == id && IsOlder(resource, candidate);
  });
  return retired == retired_.end() ? std::nullopt : std::optional(HeldStateOf(*retired));
}

void SubscriptionState::Hold(HeldResourcePtr resource) {
  HeldResourcePtr& place = held_[IdOf(resource->key())];
  if (place != nullptr && place->uid() != resource->uid()) Retire(LastStateOf(*place));
  place = std::move(resource);
}

void SubscriptionState::Forget(const v1::RemovedResource& removal) {
  const auto held = held_.find(IdOf(removal.key()));
  if (held == held_.end()) return;
  Retire(LastStateOf(*held->second));
  if (!removal.uid().empty()) Retire(removal);
  held_.erase(held);
}

void SubscriptionState::Retire(v1::RemovedResource last) {
  const auto known = std::ranges::find_if(retired_, [&](const v1::RemovedResource& retired) {
    return IdOf(retired.key()) == IdOf(last.key()) && retired.uid() == last.uid();
  });
  if (known != retired_.end()) {
    if (IsOlder(last, *known)) return;  // a removal as of an older state
    retired_.erase(known);
  }
  if (retired_.size() == kMaxRetired) retired_.pop_front();
  retired_.push_back(std::move(last));
}

}  // namespace weir
