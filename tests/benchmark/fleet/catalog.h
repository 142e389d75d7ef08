// The resources that a simulated fleet is meant to get, as the admin API tells of them.
//
// Immutable once made; any thread may read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/v1/admin.pb.h"
#include "weir/v1/discovery.pb.h"

namespace weir::benchmark {

// A resource's version as a number: its 16 hex digits. Nothing when it is not one.
std::optional<uint64_t> ParseVersion(std::string_view version);

class Catalog {
 public:
  // REQUIRES: `pools` ascend by name, as ListPools answers them.
  explicit Catalog(std::span<const v1::Pool> pools);

  // Each pool has two, one behind the other: the pool and its endpoints.
  size_t resources() const { return 2 * pools_.size(); }
  // Nothing when the catalog does not know it.
  std::optional<size_t> IndexOf(const v1::ResourceKey& key) const;
  // REQUIRES: index < resources().
  const std::string& UidOf(size_t index) const { return pools_[index / 2].uid; }

 private:
  struct Pool {
    std::string name;
    std::string uid;
  };

  std::vector<Pool> pools_;
};

// What every proxy is meant to hold: a version for each index of the catalog.
using Versions = std::vector<uint64_t>;

// Notes what the admin API says of `pool`. False when the catalog does not know it, or a version is
// none.
bool SetVersions(const Catalog& catalog, const v1::Pool& pool, Versions& versions);

}  // namespace weir::benchmark
