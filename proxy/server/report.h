// What a proxy reports of its shards to the control plane: sums of its statistics, and health.
// Pure but for the cells, which their writers go on counting in; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "proto/weir/v1/discovery.pb.h"
#include "proxy/config/pool_config.h"
#include "proxy/stats/stats_table.h"

namespace weir {

// Ejected shards by pool, named as in the statistics (ring_name); pools without any are left out.
using EjectedShards = std::map<std::string, std::set<std::string>>;

// The shards of `pool` that are not `live` are the ejected ones. Whether that is news.
bool SetEjected(const PoolConfig& pool, const std::vector<bool>& live, EjectedShards& ejected);

// Of the pools and shards of the newest table (all have the same after each change).
v1::Report MakeReport(std::span<const std::shared_ptr<const StatsTable>> tables,
                      const EjectedShards& ejected);

// What one report has of shards at most: control planes keep no more of them.
inline constexpr int kMaxReportedShards = 1000;
inline constexpr size_t kMaxReportedShardBytes = 256 << 10;

// Keeps as many of the shards, the ejected ones first, beginning with the one at `next`, from which
// the next report (of the same pools) is to begin.
void LimitShards(v1::Report& report, int& next);

// All requests of the clients so far, for rates.
uint64_t CountRequests(const v1::Report& report);

}  // namespace weir
