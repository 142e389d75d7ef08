// Resources of the discovery stream for tests, and what is in messages as lines to compare.
//
// A resource is told by its content, one short word, which is also its version:
//   "pool alpha p1", "endpoints alpha e1", "secret key s1", and "removed pool alpha".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/resource_id.h"
#include "proxy/base/strings.h"

namespace weir {

// Where a resource is in its history.
struct Place {
  uint64_t generation = 1;
  std::string uid = "uid-1";
  int64_t created = 0;  // seconds; 0: unset
};

inline v1::Resource NewResource(const ResourceId& id, std::string_view content, Place place) {
  v1::Resource resource;
  *resource.mutable_key() = KeyOf(id);
  resource.set_version(std::string(content));
  resource.set_uid(place.uid);
  resource.set_generation(place.generation);
  if (place.created != 0) resource.mutable_created()->set_seconds(place.created);
  return resource;
}

// As of no order, or of `place`.
inline v1::RemovedResource NewRemoval(const ResourceId& id) {
  v1::RemovedResource removal;
  *removal.mutable_key() = KeyOf(id);
  return removal;
}
inline v1::RemovedResource NewRemoval(const ResourceId& id, const Place& place) {
  v1::RemovedResource removal = NewRemoval(id);
  removal.set_uid(place.uid);
  removal.set_generation(place.generation);
  if (place.created != 0) removal.mutable_created()->set_seconds(place.created);
  return removal;
}

// `secret`: the name of the one that the pool refers to.
inline v1::Resource NewPool(std::string_view name, std::string_view content, Place place = {},
                            std::string_view secret = {}) {
  v1::Resource resource = NewResource(PoolId(name), content, std::move(place));
  v1::PoolPolicy& policy = *resource.mutable_pool()->mutable_policy();
  policy.set_listen(StrCat("/", content));
  if (!secret.empty()) policy.set_redis_auth_secret(std::string(secret));
  return resource;
}

inline v1::Resource NewEndpoints(std::string_view name, std::string_view content,
                                 Place place = {}) {
  v1::Resource resource = NewResource(EndpointsId(name), content, std::move(place));
  v1::SlotEndpoints& slot = *resource.mutable_endpoints()->add_slots();
  slot.set_slot("shard1");
  slot.add_addresses(StrCat("/", content));
  return resource;
}

inline v1::Resource NewSecret(std::string_view name, std::string_view content, Place place = {}) {
  v1::Resource resource = NewResource(SecretId(name), content, std::move(place));
  resource.mutable_secret()->set_value(std::string(content));
  return resource;
}

inline std::string Line(const v1::ResourceKey& key) {
  switch (key.type()) {
    case v1::RESOURCE_POOL:
      return StrCat("pool ", key.name());
    case v1::RESOURCE_ENDPOINTS:
      return StrCat("endpoints ", key.name());
    case v1::RESOURCE_SECRET:
      return StrCat("secret ", key.name());
    default:
      return StrCat("type ", static_cast<int>(key.type()), " ", key.name());
  }
}

template <typename ResourceOrHeld>
std::string Line(const ResourceOrHeld& resource) {
  return StrCat(Line(resource.key()), " ", resource.version());
}

inline std::vector<std::string> Lines(const v1::DiscoveryResponse& response) {
  std::vector<std::string> lines;
  for (const v1::Resource& resource : response.changed()) lines.push_back(Line(resource));
  for (const v1::RemovedResource& removal : response.removed()) {
    lines.push_back(StrCat("removed ", Line(removal.key())));
  }
  return lines;
}

// What a first request says is held.
inline std::vector<std::string> HeldLines(const v1::DiscoveryRequest& request) {
  std::vector<std::string> lines;
  for (const v1::HeldResource& held : request.held()) lines.push_back(Line(held));
  return lines;
}

inline v1::HeldResource Held(const ResourceId& id, std::string_view version) {
  v1::HeldResource held;
  *held.mutable_key() = KeyOf(id);
  held.set_version(std::string(version));
  return held;
}

inline v1::ResourceError ErrorOf(const ResourceId& id, std::string_view field,
                                 std::string_view detail) {
  v1::ResourceError error;
  *error.mutable_key() = KeyOf(id);
  error.set_field(std::string(field));
  error.set_error_detail(std::string(detail));
  return error;
}

}  // namespace weir
