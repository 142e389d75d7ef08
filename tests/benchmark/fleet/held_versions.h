// What a simulated proxy remembers of what it was sent: versions and generations, no bodies. It
// checks each response: known resources of the right type and uid, versions that it does not hold
// yet, generations that rise, nothing removed.
//
// Not thread-safe. The catalog outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "tests/benchmark/fleet/catalog.h"
#include "weir/v1/discovery.pb.h"

namespace weir::benchmark {

class HeldVersions {
 public:
  // `checks_content`: also that each version is the digest of its body, which costs the time of a
  // SHA-256 of each.
  HeldVersions(const Catalog& catalog, bool checks_content);

  // Takes a response over, or says what is wrong with it.
  absl::Status Take(const v1::DiscoveryResponse& response);

  // By the catalog's index; 0 where nothing is held.
  const Versions& versions() const { return versions_; }

 private:
  absl::Status TakeResource(const v1::Resource& resource);

  const Catalog& catalog_;
  const bool checks_content_;
  Versions versions_;
  std::vector<uint64_t> generations_;
};

}  // namespace weir::benchmark
