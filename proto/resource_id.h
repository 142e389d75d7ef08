// The name of a resource on the discovery stream, as a key of ordered containers.
//
// Plain values and pure functions, callable from any thread.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <tuple>

#include "weir/v1/discovery.pb.h"

namespace weir {

// Sorted: secrets before everything that may refer to them, then by name, so that a pool and its
// endpoints are neighbours.
struct ResourceId {
  v1::ResourceType type = v1::RESOURCE_TYPE_UNSPECIFIED;
  std::string name;

  friend bool operator==(const ResourceId&, const ResourceId&) = default;
  friend std::strong_ordering operator<=>(const ResourceId& a, const ResourceId& b) {
    const auto order = [](const ResourceId& id) {
      return std::tuple(id.type != v1::RESOURCE_SECRET, std::string_view(id.name), id.type);
    };
    return order(a) <=> order(b);
  }
};

inline ResourceId PoolId(std::string_view name) { return {v1::RESOURCE_POOL, std::string(name)}; }
inline ResourceId EndpointsId(std::string_view name) {
  return {v1::RESOURCE_ENDPOINTS, std::string(name)};
}
inline ResourceId SecretId(std::string_view name) {
  return {v1::RESOURCE_SECRET, std::string(name)};
}

inline ResourceId IdOf(const v1::ResourceKey& key) { return {key.type(), key.name()}; }

inline v1::ResourceKey KeyOf(const ResourceId& id) {
  v1::ResourceKey key;
  key.set_type(id.type);
  key.set_name(id.name);
  return key;
}

// True when the body of `resource` is of the type that its key names.
inline bool HasBodyOfItsType(const v1::Resource& resource) {
  switch (resource.key().type()) {
    case v1::RESOURCE_POOL:
      return resource.has_pool();
    case v1::RESOURCE_ENDPOINTS:
      return resource.has_endpoints();
    case v1::RESOURCE_SECRET:
      return resource.has_secret();
    default:
      return false;
  }
}

}  // namespace weir
