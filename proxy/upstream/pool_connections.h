// PoolConnections: all connections of one worker to the shards of one pool.
//
// Shared ones: per shard `server_connections` for each ConnectionVariant in use, made when first
// wanted. A session always gets the same one of them, so it reads its own writes. One on which a
// large reply is coming is set aside, so that requests from then on need not wait for the end of
// that: another one takes its place, and a session that has something pending on the one set aside
// stays with it until that is answered. Leased ones: lent to a single session for a request or
// reply too large to share, at most `max_leases` per shard. Idle ones are kept for the next use.
//
// A reload keeps the connections of shards that did not change, whatever their index; those of
// others take nothing new and are closed when their last reply is in. Where a later state of the
// shard would connect meanwhile, it may have to wait for them (upstream/handovers), so that no
// request overtakes its session's earlier ones. Owned by the worker's pool, used on its loop
// thread; ends with it, when every fragment left fails.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/codec/shard_protocol.h"
#include "proxy/config/snapshot.h"
#include "proxy/upstream/handovers.h"
#include "proxy/upstream/large_replies.h"
#include "proxy/upstream/shard_connections.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class PoolConnections {
 public:
  // The cells of each shard's statistics, by index; shared, because a connection may outlive the
  // table.
  using ShardCells = std::vector<std::shared_ptr<ShardStats>>;

  PoolConnections(const UpstreamContext& context, PoolSnapshotPtr pool, ShardCells cells);
  ~PoolConnections();

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
  // The one that was set aside, of those with something pending for which `chosen(connection)`;
  // null when there is none.
  template <typename Predicate>
  UpstreamConnection* FindSetAside(uint32_t shard, ConnectionSlot slot, ConnectionVariant variant,
                                   const Predicate& chosen) {
    Way* way = shards_[shard]->FindWay(slot, variant);
    if (way == nullptr) return nullptr;
    auto found = std::ranges::find_if(way->set_aside,
                                      [&](const auto& connection) { return chosen(*connection); });
    return found == way->set_aside.end() ? nullptr : found->get();
  }
  // Whether `chosen(connection)` for one that was set aside, of any shard.
  template <typename Predicate>
  bool AnySetAside(ConnectionSlot slot, const Predicate& chosen) {
    for (uint32_t shard = 0; shard < shards_.size(); ++shard) {
      if (shards_[shard]->set_aside_count == 0) continue;
      for (ConnectionVariant variant : kConnectionVariants) {
        if (FindSetAside(shard, slot, variant, chosen) != nullptr) return true;
      }
    }
    return false;
  }
  // Rises when a connection is set aside. Who had nothing pending on such a one since it last rose
  // has nothing there.
  uint64_t set_aside_version() const { return set_aside_version_; }
  // A large reply is coming on this one, as ShardObserver tells: the request is remembered, and the
  // connection set aside if it is a shared one, unless that would make more of them and leases than
  // max_leases.
  void NoteLargeReply(const UpstreamConnection& connection);
  // Requests whose replies were large of late.
  LargeReplies& large_replies() { return large_replies_; }
  // Whether any request that has expired waits for its late reply, on a connection of any kind.
  bool any_expired() const { return context_.pool_stats.late_replies_awaited.Get() > 0; }
  // The shared one of a slot, if requests have expired there and `chosen(connection)`, or that of
  // one from before a reload for which it has to wait to connect; else null.
  UpstreamConnection* SharedWithExpired(uint32_t shard, ConnectionSlot slot,
                                        ConnectionVariant variant, ConnectionChoice chosen);
  // Whether a connection that is about to connect has to wait, as ShardObserver asks.
  bool MustWait(UpstreamConnection& connection) {
    const bool ended = connection.shard() == kRemovedShard;
    return !handovers_.empty() &&
           handovers_.MustWait(connection, ended ? nullptr : shards_[connection.shard()].get());
  }

  // A connection for one session alone; null when all leases are out. Give it back by EndLease.
  UpstreamConnection* BeginLease(uint32_t shard, ConnectionVariant variant);
  // Makes a shared connection, or one set aside, a lease, because the reply it is reading is to be
  // read at its client's pace; new requests go to a fresh one. The caller has seen that nobody else
  // waits on it. Null when all leases are out.
  UpstreamConnection* TakeAsLease(UpstreamConnection* connection);
  // The holder is done. A connection with replies pending is closed, any other is kept.
  void EndLease(UpstreamConnection* connection);

  // Where a shard is served now. Connections in use stay; the next connects go there. Empty: its
  // name has no address, which fails what waited for one.
  void SetAddresses(uint32_t shard, const std::vector<ResolvedAddress>& addresses);
  // The shard is back: connections that back off are tried at once, and in a pool with `preconnect`
  // those that are missing are made.
  void ConnectAgain(uint32_t shard);
  // Makes the shared connections to all shards that are not ejected. Those that are follow when
  // they are back.
  void Preconnect();
  size_t shard_count() const { return shards_.size(); }

 private:
  static constexpr size_t kMostIdle = 4;

  std::unique_ptr<ShardConnections> NewShard(const ShardConfig& config,
                                             std::shared_ptr<ShardStats> stats);
  // Takes it from where it is, shared or set aside; null when it is neither.
  std::unique_ptr<UpstreamConnection> Remove(ShardConnections& shard,
                                             const UpstreamConnection* connection);
  // One that is idle, or a new one.
  std::unique_ptr<UpstreamConnection> IdleOrNew(uint32_t shard, ConnectionVariant variant);
  // For the next use, if it is connected and there are few such.
  void KeepIdle(ShardConnections& shard, std::unique_ptr<UpstreamConnection> connection);
  UpstreamConnection* CountLease(std::unique_ptr<UpstreamConnection> connection);
  std::unique_ptr<UpstreamConnection> NewConnection(uint32_t shard, ConnectionVariant variant);
  // The shard whose lease this is, of those in use and those on their way out.
  ShardConnections& ShardOfLease(UpstreamConnection* connection);
  void PreconnectShard(uint32_t shard);
  // A shard of before serves on, as this one.
  void Keep(uint32_t index);
  void Retire(std::unique_ptr<ShardConnections> shard);
  // Looks after connections that wait for their last reply, and comes again while there are any.
  void Sweep();
  void SetAside(const UpstreamConnection& connection);
  void CountSetAside(ShardConnections& shard, int64_t change);
  // Finds another use for what was set aside and has answered all, and takes one back when that
  // which took its place cannot connect.
  void SweepSetAside(ShardConnections& shard);
  void SweepSetAside(ShardConnections& shard, Way& way);

  const UpstreamContext context_;
  PoolSnapshotPtr pool_;
  // Outlives the connections, whose end sessions hear of.
  LargeReplies large_replies_;
  std::vector<std::unique_ptr<ShardConnections>> shards_;
  // Of those that have ended, and of those who wait for them.
  Handovers handovers_;
  uint64_t next_slot_ = 0;
  uint64_t set_aside_version_ = 0;
  Timer sweep_timer_;
};

}  // namespace weir
