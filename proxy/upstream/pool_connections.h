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
// others take nothing new and are closed when their last reply is in. Whenever a shared connection
// is about to connect where such a one of its slot has requests under way, or may have (it has
// another login, or more or fewer addresses, or its name has moved back), it waits until they are
// answered, so that no request overtakes its session's earlier ones, be they left from the last
// reload or from several before it. At other addresses it begins at once: what was at the old ones
// may be gone. What waits because the shard has no address yet goes to the first that a reload
// gives it or that its name is found to have. Owned by the worker's pool, used on its loop thread;
// ends with it, when every fragment left fails.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/config/snapshot.h"
#include "proxy/upstream/large_replies.h"
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
  using Choice = absl::FunctionRef<bool(const UpstreamConnection&)>;

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
    Way* way = FindWay(shard, slot, variant);
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
                                        ConnectionVariant variant, Choice chosen);
  // Whether a connection that is about to connect has to wait, as ShardObserver asks.
  bool MustWait(UpstreamConnection& connection);

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

  using Connections = std::vector<std::unique_ptr<UpstreamConnection>>;

  // The shared connection of a slot, and those before it that were set aside and are still to
  // answer.
  struct Way {
    std::unique_ptr<UpstreamConnection> shared;
    Connections set_aside;
  };

  struct Shard {
    // As it was when it was configured last.
    ShardConfig config;
    // Used by the connections below, which end before them.
    std::shared_ptr<ShardStats> stats;
    ConnectionSettings settings;
    std::vector<ResolvedAddress> addresses;
    // By variant, then by slot.
    std::array<std::vector<Way>, kConnectionVariants.size()> ways;
    size_t set_aside_count = 0;  // on all ways
    Connections leased;
    Connections idle;  // connected, and free for either use
  };

  // A shared connection on its way out, and one that waits until it is done, and asks then whether
  // it must for another.
  struct Handover {
    const UpstreamConnection* before;
    UpstreamConnection* after;
  };
  using States = std::vector<std::unique_ptr<Shard>>;

  struct Place {
    const Shard* shard;
    ConnectionSlot slot;
  };

  std::unique_ptr<Shard> NewShard(const ShardConfig& config, std::shared_ptr<ShardStats> stats);
  // Null when no session of the slot has asked the shard yet.
  Way* FindWay(uint32_t shard, ConnectionSlot slot, ConnectionVariant variant) {
    std::vector<Way>& ways = shards_[shard]->ways[static_cast<size_t>(variant)];
    return slot.index < ways.size() ? &ways[slot.index] : nullptr;
  }
  // Takes it from where it is, shared or set aside; null when it is neither.
  std::unique_ptr<UpstreamConnection> Remove(Shard& shard, const UpstreamConnection* connection);
  // One that is idle, or a new one.
  std::unique_ptr<UpstreamConnection> IdleOrNew(uint32_t shard, ConnectionVariant variant);
  // For the next use, if it is connected and there are few such.
  void KeepIdle(Shard& shard, std::unique_ptr<UpstreamConnection> connection);
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
  // Whether `shard` says where that goes which still waits for an address in an earlier state of
  // it: they have one place, or the earlier one had no address yet.
  static bool GoesWhere(const Shard& before, const Shard& shard);
  static void SetAddresses(Shard& shard, const std::vector<ResolvedAddress>& addresses);
  // Whether requests on `before`, of an earlier state of the shard, are under way to an address
  // that it has, or may yet go there.
  static bool IsUnderWay(const Shard& earlier, const UpstreamConnection& before,
                         const Shard& shard);
  // What the connections of a slot to `shard`, which may be on its way out itself, have to wait for
  // before they connect: one of an earlier state for which `chosen(connection)`; null: none.
  const UpstreamConnection* FindBefore(const Shard& shard, ConnectionSlot slot,
                                       ConnectionVariant variant, Choice chosen) const;
  // Where a shared connection is, also one set aside or on its way out; none for any other.
  std::optional<Place> PlaceOf(const UpstreamConnection& connection) const;
  void EndHandovers(const UpstreamConnection* connection);
  // Looks after connections that wait for their last reply, and comes again while there are any.
  void Sweep();
  // Closes what is done of the shards on their way out, and lets go of what waited for it.
  void SweepRetired();
  // The same for the connections of one, which are noted in `closed`. True when none is left.
  bool CloseWhatIsDone(Shard& shard, std::vector<UpstreamConnection*>& closed);
  void SetAside(const UpstreamConnection& connection);
  void CountSetAside(Shard& shard, int64_t change);
  // Finds another use for what was set aside and has answered all, and takes one back when that
  // which took its place cannot connect.
  void SweepSetAside(Shard& shard);
  void SweepSetAside(Shard& shard, Way& way);

  const UpstreamContext context_;
  PoolSnapshotPtr pool_;
  // Outlives the connections, whose end sessions hear of.
  LargeReplies large_replies_;
  std::vector<std::unique_ptr<Shard>> shards_;
  // Those on their way out, by name, oldest first.
  absl::flat_hash_map<std::string, States> retired_;
  std::vector<Handover> handovers_;
  uint64_t next_slot_ = 0;
  uint64_t set_aside_version_ = 0;
  Timer sweep_timer_;
};

}  // namespace weir
