// One writer's cells for all pools and shards, addressed by index, surviving reloads by name.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/stats/pool_stats.h"

namespace weir {

// Which pools and shards there are, in the order of the snapshot (that is twemproxy's order in its
// JSON). A shard's name is its ring string. Immutable, shared by the tables of all writers.
struct StatsLayout {
  struct Pool {
    std::string name;
    std::vector<std::string> shards;
  };
  std::vector<Pool> pools;
};

// Each worker has a table for the snapshot it serves, and so has the health owner (ejections and
// probes, which happen once per process, not per worker). The shape never changes after
// construction; the cells are written by the table's owner only, and read by any thread that holds
// the table.
//
// At a reload build the next table from the previous one: a pool or shard of the same name (in the
// same pool) goes on with the same cells, so nothing is lost and what still counts for the old
// snapshot counts on. Whoever may outlive the table (a connection of a shard that is being taken
// away) shares the cells.
class StatsTable {
 public:
  explicit StatsTable(std::shared_ptr<const StatsLayout> layout,
                      const StatsTable* previous = nullptr);
  StatsTable(const StatsTable&) = delete;
  StatsTable& operator=(const StatsTable&) = delete;

  const StatsLayout& layout() const { return *layout_; }

  ProcessStats& process() { return *process_; }
  const ProcessStats& process() const { return *process_; }
  PoolStats& pool(size_t pool) { return *pools_[pool].cells; }
  const PoolStats& pool(size_t pool) const { return *pools_[pool].cells; }
  ShardStats& shard(size_t pool, size_t shard) { return *pools_[pool].shards[shard]; }
  const ShardStats& shard(size_t pool, size_t shard) const { return *pools_[pool].shards[shard]; }

  std::shared_ptr<PoolStats> SharePool(size_t pool) { return pools_[pool].cells; }
  std::shared_ptr<ShardStats> ShareShard(size_t pool, size_t shard) {
    return pools_[pool].shards[shard];
  }

  // Null when this table has no such pool or shard. During a reload some workers' tables are of the
  // old snapshot and some of the new, so readers go by name; the hints are the indexes to look at
  // first.
  const PoolStats* FindPool(std::string_view name, size_t hint) const;
  const ShardStats* FindShard(std::string_view pool, size_t pool_hint, std::string_view shard,
                              size_t shard_hint) const;

 private:
  struct PoolCells {
    std::shared_ptr<PoolStats> cells;
    std::vector<std::shared_ptr<ShardStats>> shards;
  };

  PoolCells MakePool(size_t index, const StatsTable* previous) const;
  // What becomes of pool `index` in the next table, where it is `next`.
  PoolCells Next(size_t index, const StatsLayout::Pool& next) const;
  std::optional<size_t> PoolIndex(std::string_view name, size_t hint) const;
  std::optional<size_t> ShardIndex(size_t pool, std::string_view name, size_t hint) const;

  std::shared_ptr<const StatsLayout> layout_;
  std::shared_ptr<ProcessStats> process_;
  std::vector<PoolCells> pools_;
};

}  // namespace weir
