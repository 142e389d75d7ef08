// A resource as all streams share it: encoded once, however many proxies get it.
//
// Immutable; lent as `ResourcePtr` to any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/cache/pool_places.h"
#include "proto/resource_id.h"

namespace weir {

struct CachedResource {
  ResourceId id;
  v1::Resource message;
  // The bytes of a DiscoveryResponse that has this resource in `changed` and nothing else. Such
  // pieces put one behind the other are the response that has them all.
  std::string encoded;
  uint64_t fingerprint = 0;  // of id and version, the same in every process

  const std::string& version() const { return message.version(); }
  // The secret that a pool's policy refers to, or nothing.
  std::string_view secret_name() const { return message.pool().policy().redis_auth_secret(); }
};

using ResourcePtr = std::shared_ptr<const CachedResource>;

// REQUIRES: `resource` has a key.
ResourcePtr MakeCached(v1::Resource resource);

// What is known of a resource that only the proxy has: its name and version (empty when not even
// that), no body.
ResourcePtr MakeHeldElsewhere(ResourceId id, std::string version);

// Same content, same incarnation, same place in its history.
bool SameState(const v1::Resource& a, const v1::Resource& b);

// A fleet's resources at one moment.
struct FleetView {
  std::vector<ResourcePtr> resources;  // ascending by id, each once
  // What became of pools that are not among them, at the moment of asking. Null: nobody knows any.
  PoolPlacesPtr places;

  // Null when there is none.
  ResourcePtr Find(const ResourceId& id) const;
};

using FleetViewPtr = std::shared_ptr<const FleetView>;

// The version of several resources together: a digest of theirs, in the order of their ids.
class SystemVersion {
 public:
  void Add(const CachedResource& resource);
  std::string ToString() const;  // 16 hex digits

 private:
  uint64_t digest_ = 0;
};

}  // namespace weir
