#include "proxy/stats/stats_table.h"

#include <utility>

#include "absl/container/flat_hash_map.h"

namespace weir {
namespace {

// Index of the item whose name is `name`, trying `hint` first: names rarely move.
template <typename Items, typename NameOf>
std::optional<size_t> IndexOf(const Items& items, std::string_view name, size_t hint,
                              NameOf name_of) {
  if (hint < items.size() && name_of(items[hint]) == name) return hint;
  for (size_t i = 0; i < items.size(); ++i) {
    if (name_of(items[i]) == name) return i;
  }
  return std::nullopt;
}

}  // namespace

StatsTable::StatsTable(std::shared_ptr<const StatsLayout> layout, const StatsTable* previous)
    : layout_(std::move(layout)),
      process_(previous != nullptr ? previous->process_ : std::make_shared<ProcessStats>()) {
  pools_.reserve(layout_->pools.size());
  for (size_t i = 0; i < layout_->pools.size(); ++i) pools_.push_back(MakePool(i, previous));
}

StatsTable::PoolCells StatsTable::MakePool(size_t index, const StatsTable* previous) const {
  const StatsLayout::Pool& pool = layout_->pools[index];
  if (previous != nullptr) {
    if (const auto old = previous->PoolIndex(pool.name, index)) return previous->Next(*old, pool);
  }
  PoolCells made{.cells = std::make_shared<PoolStats>(), .shards = {}};
  for (size_t i = 0; i < pool.shards.size(); ++i) {
    made.shards.push_back(std::make_shared<ShardStats>());
  }
  return made;
}

StatsTable::PoolCells StatsTable::Next(size_t index, const StatsLayout::Pool& next) const {
  const PoolCells& cells = pools_[index];
  const std::vector<std::string>& shards = layout_->pools[index].shards;
  if (next.shards == shards) return cells;
  absl::flat_hash_map<std::string_view, size_t> places;
  for (size_t i = 0; i < shards.size(); ++i) places.emplace(shards[i], i);
  PoolCells made{.cells = cells.cells, .shards = {}};
  for (const std::string& shard : next.shards) {
    const auto old = places.find(shard);
    made.shards.push_back(old != places.end() ? cells.shards[old->second]
                                              : std::make_shared<ShardStats>());
  }
  return made;
}

std::optional<size_t> StatsTable::PoolIndex(std::string_view name, size_t hint) const {
  return IndexOf(layout_->pools, name, hint,
                 [](const StatsLayout::Pool& pool) -> std::string_view { return pool.name; });
}

std::optional<size_t> StatsTable::ShardIndex(size_t pool, std::string_view name,
                                             size_t hint) const {
  return IndexOf(layout_->pools[pool].shards, name, hint,
                 [](const std::string& shard) -> std::string_view { return shard; });
}

const PoolStats* StatsTable::FindPool(std::string_view name, size_t hint) const {
  const std::optional<size_t> index = PoolIndex(name, hint);
  return index.has_value() ? pools_[*index].cells.get() : nullptr;
}

const ShardStats* StatsTable::FindShard(std::string_view pool, size_t pool_hint,
                                        std::string_view shard, size_t shard_hint) const {
  const std::optional<size_t> pool_index = PoolIndex(pool, pool_hint);
  if (!pool_index.has_value()) return nullptr;
  const std::optional<size_t> index = ShardIndex(*pool_index, shard, shard_hint);
  return index.has_value() ? pools_[*pool_index].shards[*index].get() : nullptr;
}

}  // namespace weir
