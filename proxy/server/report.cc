#include "proxy/server/report.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "google/protobuf/util/time_util.h"

namespace weir {
namespace {

bool IsEjected(const EjectedShards& ejected, const std::string& pool, const std::string& shard) {
  const auto found = ejected.find(pool);
  return found != ejected.end() && found->second.contains(shard);
}

v1::ShardReport ReportShard(std::span<const std::shared_ptr<const StatsTable>> tables,
                            const StatsLayout::Pool& pool, size_t pool_index, size_t shard_index,
                            const EjectedShards& ejected) {
  v1::ShardReport report;
  const std::string& name = pool.shards[shard_index];
  report.set_pool(pool.name);
  report.set_shard(name);
  uint64_t ejected_at = 0;
  for (const std::shared_ptr<const StatsTable>& table : tables) {
    const ShardStats* stats = table->FindShard(pool.name, pool_index, name, shard_index);
    if (stats == nullptr) continue;
    report.set_requests(report.requests() + stats->requests.Get());
    report.set_errors(report.errors() + stats->server_err.Get());
    report.set_timeouts(report.timeouts() + stats->server_timedout.Get());
    ejected_at = std::max(ejected_at, stats->server_ejected_at.Get());
  }
  if (IsEjected(ejected, pool.name, name)) {
    report.set_ejected(true);
    *report.mutable_ejected_since() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(static_cast<int64_t>(ejected_at));
  }
  return report;
}

}  // namespace

bool SetEjected(const PoolConfig& pool, const std::vector<bool>& live, EjectedShards& ejected) {
  std::set<std::string> names;
  for (size_t i = 0; i < live.size(); ++i) {
    if (!live[i]) names.insert(pool.servers[i].ring_name);
  }
  if (names.empty()) return ejected.erase(pool.name) > 0;
  std::set<std::string>& before = ejected[pool.name];
  return std::exchange(before, names) != names;
}

v1::Report MakeReport(std::span<const std::shared_ptr<const StatsTable>> tables,
                      const EjectedShards& ejected) {
  v1::Report report;
  if (tables.empty()) return report;
  const StatsLayout& layout = tables.back()->layout();
  int64_t sessions = 0;
  for (size_t i = 0; i < layout.pools.size(); ++i) {
    const StatsLayout::Pool& pool = layout.pools[i];
    for (const std::shared_ptr<const StatsTable>& table : tables) {
      const PoolStats* stats = table->FindPool(pool.name, i);
      if (stats != nullptr) sessions += stats->client_connections.Get();
    }
    for (size_t shard = 0; shard < pool.shards.size(); ++shard) {
      *report.add_shards() = ReportShard(tables, pool, i, shard, ejected);
    }
  }
  report.set_sessions(static_cast<uint64_t>(std::max<int64_t>(sessions, 0)));
  return report;
}

void LimitShards(v1::Report& report, int& next) {
  const int size = report.shards_size();
  const int first = next < size ? next : 0;
  google::protobuf::RepeatedPtrField<v1::ShardReport> kept;
  size_t bytes = 0;
  const auto add = [&](const v1::ShardReport& shard) {
    bytes += shard.ByteSizeLong();
    const bool full = kept.size() == kMaxReportedShards || bytes > kMaxReportedShardBytes;
    if (full && !kept.empty()) return false;
    *kept.Add() = shard;
    return true;
  };
  next = 0;
  for (const bool ejected : {true, false}) {
    for (int i = 0; i < size; ++i) {
      const int index = (first + i) % size;
      if (report.shards(index).ejected() != ejected || add(report.shards(index))) continue;
      next = index;
      report.mutable_shards()->Swap(&kept);
      return;
    }
  }
  // All of them, in their order.
}

uint64_t CountRequests(const v1::Report& report) {
  uint64_t requests = 0;
  for (const v1::ShardReport& shard : report.shards()) requests += shard.requests();
  return requests;
}

}  // namespace weir
