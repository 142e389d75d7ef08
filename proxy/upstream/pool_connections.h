// PoolConnections: all connections of one worker to the shards of one pool.
//
// Shared ones: per shard `server_connections` for each RESP version in use, made when first wanted.
// A session always gets the same one of them, so it reads its own writes. Leased ones: lent to a
// single session for a request or reply too large to share, at most `max_leases` per shard; idle
// ones are kept for the next lease. Owned by the worker's pool, used on its loop thread; ends with
// it, when every fragment left fails.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/config/snapshot.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class PoolConnections {
 public:
  // `shard_stats[i]` belongs to shard i; borrowed.
  PoolConnections(const UpstreamContext& context, PoolSnapshotPtr pool,
                  std::vector<ShardStats*> shard_stats);

  // The shared connection of `session_id` to a shard.
  UpstreamConnection& Shared(uint32_t shard, uint64_t session_id, RespVersion version);

  // A connection for one session alone; null when all leases are out. Give it back by EndLease.
  UpstreamConnection* BeginLease(uint32_t shard, RespVersion version);
  // The holder is done. A connection with replies pending is closed, any other is kept.
  void EndLease(UpstreamConnection* connection);

  // Where a shard is served now. Connections in use stay; the next connects go there.
  void SetAddresses(uint32_t shard, std::vector<ResolvedAddress> addresses);
  void Preconnect();
  size_t shard_count() const { return shards_.size(); }

 private:
  static constexpr size_t kVersions = 2;
  static constexpr size_t kIdleLeases = 4;

  struct Shard {
    ShardStats* stats = nullptr;
    std::vector<ResolvedAddress> addresses;
    // By version, then by index below server_connections.
    std::array<std::vector<std::unique_ptr<UpstreamConnection>>, kVersions> shared;
    std::vector<std::unique_ptr<UpstreamConnection>> leased;
    std::vector<std::unique_ptr<UpstreamConnection>> idle_leases;
  };

  std::unique_ptr<UpstreamConnection> NewConnection(uint32_t shard, RespVersion version);

  const UpstreamContext context_;
  PoolSnapshotPtr pool_;
  ConnectionSettings settings_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace weir
