#include "controlplane/cache/cached_resource.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// FNV-1a, 64 bits. Versions are compared with each other and never defended against anybody, so a
// short digest will do.
constexpr uint64_t kFnvOffset = 14695981039346656037u;
constexpr uint64_t kFnvPrime = 1099511628211u;

uint64_t FingerprintOf(const ResourceId& id, std::string_view version) {
  uint64_t digest = kFnvOffset;
  for (const char byte : StrCat(static_cast<int>(id.type), " ", id.name, " ", version)) {
    digest = (digest ^ static_cast<unsigned char>(byte)) * kFnvPrime;
  }
  return digest;
}

}  // namespace

ResourcePtr MakeCached(v1::Resource resource) {
  auto cached = std::make_shared<CachedResource>();
  v1::DiscoveryResponse response;
  *response.add_changed() = resource;
  cached->id = IdOf(resource.key());
  cached->encoded = response.SerializeAsString();
  cached->fingerprint = FingerprintOf(cached->id, resource.version());
  cached->message = std::move(resource);
  return cached;
}

ResourcePtr MakeHeldElsewhere(ResourceId id, std::string version) {
  auto cached = std::make_shared<CachedResource>();
  *cached->message.mutable_key() = KeyOf(id);
  cached->message.set_version(std::move(version));
  cached->id = std::move(id);
  return cached;
}

bool SameState(const v1::Resource& a, const v1::Resource& b) {
  return a.version() == b.version() && a.uid() == b.uid() && a.generation() == b.generation();
}

ResourcePtr FleetView::Find(const ResourceId& id) const {
  const auto found = std::ranges::lower_bound(
      resources, id, {},
      [](const ResourcePtr& resource) -> const ResourceId& { return resource->id; });
  return found != resources.end() && (*found)->id == id ? *found : nullptr;
}

void SystemVersion::Add(const CachedResource& resource) {
  digest_ = (digest_ ^ resource.fingerprint) * kFnvPrime;
}

std::string SystemVersion::ToString() const { return absl::StrFormat("%016x", digest_); }

}  // namespace weir
