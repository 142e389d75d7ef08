#include "tests/benchmark/fleet/catalog.h"

#include <algorithm>
#include <charconv>

#include "proto/resource_id.h"

namespace weir::benchmark {

std::optional<uint64_t> ParseVersion(std::string_view version) {
  constexpr size_t kDigits = 16;
  uint64_t number = 0;
  const char* const end = version.data() + version.size();
  const auto [stopped, error] = std::from_chars(version.data(), end, number, 16);
  if (version.size() != kDigits || error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

Catalog::Catalog(std::span<const v1::Pool> pools) {
  pools_.reserve(pools.size());
  for (const v1::Pool& pool : pools) pools_.push_back({.name = pool.name(), .uid = pool.uid()});
}

std::optional<size_t> Catalog::IndexOf(const v1::ResourceKey& key) const {
  const bool is_pool = key.type() == v1::RESOURCE_POOL;
  if (!is_pool && key.type() != v1::RESOURCE_ENDPOINTS) return std::nullopt;
  const auto found = std::ranges::lower_bound(pools_, key.name(), {}, &Pool::name);
  if (found == pools_.end() || found->name != key.name()) return std::nullopt;
  return 2 * static_cast<size_t>(found - pools_.begin()) + (is_pool ? 0 : 1);
}

bool SetVersions(const Catalog& catalog, const v1::Pool& pool, Versions& versions) {
  const std::optional<size_t> index = catalog.IndexOf(KeyOf(PoolId(pool.name())));
  const std::optional<uint64_t> version = ParseVersion(pool.status().version());
  const std::optional<uint64_t> endpoints = ParseVersion(pool.status().endpoints_version());
  if (!index || !version || !endpoints) return false;
  versions[*index] = *version;
  versions[*index + 1] = *endpoints;
  return true;
}

}  // namespace weir::benchmark
