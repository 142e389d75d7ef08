#include "tests/benchmark/fleet/held_versions.h"

#include <optional>

#include "controlplane/model/canonical.h"
#include "proto/resource_id.h"
#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {

std::string ContentVersionOf(const v1::Resource& resource) {
  return resource.has_pool() ? ContentVersion(resource.pool())
                             : ContentVersion(resource.endpoints());
}

}  // namespace

HeldVersions::HeldVersions(const Catalog& catalog, bool checks_content)
    : catalog_(catalog),
      checks_content_(checks_content),
      versions_(catalog.resources()),
      generations_(catalog.resources()) {}

absl::Status HeldVersions::Take(const v1::DiscoveryResponse& response) {
  if (response.removed_size() > 0) {
    return Internal("removed: '", response.removed(0).key().name(), "', expected nothing");
  }
  for (const v1::Resource& resource : response.changed()) {
    absl::Status taken = TakeResource(resource);
    if (!taken.ok()) return taken;
  }
  return absl::OkStatus();
}

absl::Status HeldVersions::TakeResource(const v1::Resource& resource) {
  const std::string what = StrCat(v1::ResourceType_Name(resource.key().type()), " '",
                                  resource.key().name(), "' ", resource.version());
  const std::optional<size_t> index = catalog_.IndexOf(resource.key());
  if (!index) return Internal(what, ": not of this fleet");
  if (!HasBodyOfItsType(resource)) return Internal(what, ": without a body of its type");
  if (resource.uid() != catalog_.UidOf(*index)) return Internal(what, ": of another uid");
  const std::optional<uint64_t> version = ParseVersion(resource.version());
  if (!version) return Internal(what, ": no version");
  if (*version == versions_[*index]) return Internal(what, ": sent though it is held");
  if (resource.generation() <= generations_[*index]) {
    return Internal(what, ": generation ", resource.generation(), " after ", generations_[*index]);
  }
  if (checks_content_ && ContentVersionOf(resource) != resource.version()) {
    return Internal(what, ": not the version of its content");
  }
  versions_[*index] = *version;
  generations_[*index] = resource.generation();
  return absl::OkStatus();
}

}  // namespace weir::benchmark
