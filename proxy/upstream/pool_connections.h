// PoolConnections: all connections of one worker to the shards of one pool.
//
// Shared ones: per shard `server_connections` for each ConnectionVariant in use, made when first
// wanted. A session always gets the same one of them, so it reads its own writes. Leased ones: lent
// to a single session for a request or reply too large to share, at most `max_leases` per shard;
// idle ones are kept for the next lease.
//
// A reload keeps the connections of shards that did not change, whatever their index; those of
// others take nothing new and are closed when their last reply is in. Where the shard is still
// served at the address of such a one (it has another login, or more or fewer addresses), the new
// shared connection begins after that, so that no request overtakes its session's earlier ones, be
// they left from this reload or from several before it. At other addresses it begins at once: what
// was at the old ones may be gone. Owned by the worker's pool, used on its loop thread; ends with
// it, when every fragment left fails.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/codec/shard_protocol.h"
#include "proxy/config/snapshot.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

// Which of a shard's shared connections a session uses, as long as it lives.
struct ConnectionSlot {
  uint32_t index = 0;
};

class PoolConnections {
 public:
  // The cells of each shard's statistics, by index; shared, because a connection may outlive the
  // table.
  using ShardCells = std::vector<std::shared_ptr<ShardStats>>;

  PoolConnections(const UpstreamContext& context, PoolSnapshotPtr pool, ShardCells cells);

  // Between turns: the shards of another state of the pool.
  void Update(PoolSnapshotPtr pool, ShardCells cells);

  // For a new session; sessions get all of them in turn. It keeps its slot when
  // `server_connections` changes, so that its requests for one shard never travel on two
  // connections at a time.
  ConnectionSlot NextSlot() {
    return {static_cast<uint32_t>(next_slot_++ % pool_->config.server_connections)};
  }
  // The shared connection of a slot to a shard.
  UpstreamConnection& Shared(uint32_t shard, ConnectionSlot slot, ConnectionVariant variant);
  // The same one, when requests that have expired wait on it, or on the one that it waits for since
  // a reload; else null.
  UpstreamConnection* SharedWithExpired(uint32_t shard, ConnectionSlot slot,
                                        ConnectionVariant variant);

  // A connection for one session alone; null when all leases are out. Give it back by EndLease.
  UpstreamConnection* BeginLease(uint32_t shard, ConnectionVariant variant);
  // Makes a shared connection a lease, because the reply it is reading is to be read at its
  // client's pace; new requests go to a fresh one. The caller has seen that nobody else waits on
  // it. Null when all leases are out.
  UpstreamConnection* TakeAsLease(UpstreamConnection* connection);
  // The holder is done. A connection with replies pending is closed, any other is kept.
  void EndLease(UpstreamConnection* connection);

  // Where a shard is served now. Connections in use stay; the next connects go there. Empty: its
  // name has no address, which fails what waited for one.
  void SetAddresses(uint32_t shard, std::vector<ResolvedAddress> addresses);
  // The shard is back: connections that back off are tried at once, and in a pool with `preconnect`
  // those that are missing are made.
  void ConnectAgain(uint32_t shard);
  // Makes the shared connections to all shards that are not ejected. Those that are follow when
  // they are back.
  void Preconnect();
  size_t shard_count() const { return shards_.size(); }

 private:
  static constexpr size_t kIdleLeases = 4;

  struct Shard {
    // As it was when it was configured last.
    ShardConfig config;
    // Used by the connections below, which end before them.
    std::shared_ptr<ShardStats> stats;
    ConnectionSettings settings;
    std::vector<ResolvedAddress> addresses;
    // By variant, then by slot.
    std::array<std::vector<std::unique_ptr<UpstreamConnection>>, kConnectionVariants.size()> shared;
    std::vector<std::unique_ptr<UpstreamConnection>> leased;
    std::vector<std::unique_ptr<UpstreamConnection>> idle_leases;
  };

  // A shared connection on its way out, and one that waits until it is done. The latter begins when
  // it has no such wait left.
  struct Handover {
    UpstreamConnection* before;
    UpstreamConnection* after;
  };

  std::unique_ptr<Shard> NewShard(const ShardConfig& config, std::shared_ptr<ShardStats> stats);
  UpstreamConnection* CountLease(std::unique_ptr<UpstreamConnection> connection);
  std::unique_ptr<UpstreamConnection> NewConnection(uint32_t shard, ConnectionVariant variant);
  // The shard whose lease this is, of those in use and those on their way out.
  Shard& ShardOfLease(UpstreamConnection* connection);
  template <typename Function>
  static void ForEachConnection(Shard& shard, const Function& function);
  void PreconnectShard(uint32_t shard);
  // A shard of before serves on, as this one.
  void Keep(uint32_t index);
  void Retire(std::unique_ptr<Shard> shard);
  // The shared connections of `index`, which are new, wait for those of an earlier state of that
  // shard on which requests are under way to an address that it still has.
  void HandOver(const Shard& before, uint32_t index);
  void HoldBehind(UpstreamConnection* before, UpstreamConnection* after);
  void EndHandovers(const UpstreamConnection* connection);
  // Closes what is done of the shards on their way out.
  void SweepRetired();
  // Those that are left keep their places. True when none is.
  bool CloseIfDone(std::vector<std::unique_ptr<UpstreamConnection>>& connections);

  const UpstreamContext context_;
  PoolSnapshotPtr pool_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Shard>> retired_;
  std::vector<Handover> handovers_;
  uint64_t next_slot_ = 0;
  Timer sweep_timer_;
};

}  // namespace weir
