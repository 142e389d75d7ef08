// Handovers: the states of a pool's shards that reloads have ended, until their last reply is in,
// and who waits for them meanwhile.
//
// Such a state takes nothing new. A shared connection of a later state of the shard (told by its
// name) that is about to connect where one of the same slot and variant has requests under way, or
// may yet send them, must wait until they are answered: else a request could overtake an earlier
// one of its session. So must a connection of an ended state, for those before its own. At other
// addresses nobody waits: what was at the old ones may be gone. What waits because its state has no
// address yet goes to the first that a later state has.
//
// A part of PoolConnections, used on its loop thread; ends with it, when every fragment left fails.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/base/socket_address.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/event/event_loop.h"
#include "proxy/upstream/shard_connections.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class Handovers {
 public:
  explicit Handovers(EventLoop& loop) : loop_(loop) {}

  bool empty() const { return states_.empty(); }
  // A state that has ended, the latest of its shard.
  void Add(std::unique_ptr<ShardConnections> state);
  // The one whose lease this is. REQUIRES: there is one.
  ShardConnections& StateOf(const UpstreamConnection& lease);

  // What the connections of a slot to `shard` have to wait for before they connect: one of those
  // for which `chosen(connection)`; null: none.
  const UpstreamConnection* FindBefore(const ShardConnections& shard, ConnectionSlot slot,
                                       ConnectionVariant variant, ConnectionChoice chosen) const;
  // Whether a connection that is about to connect has to wait; its LetGo is called when it is to
  // ask again. `shard`: its state when that has not ended, else null.
  bool MustWait(UpstreamConnection& connection, const ShardConnections* shard);

  // Earlier states of `shard` that wait for an address get those that it has, if any.
  void GiveFirstAddresses(const ShardConnections& shard);
  // So do these, and all states of any shard at the same place, also when it has none: its name
  // stands for nothing.
  void SetAddresses(const ShardConnections& shard);

  // Closes what has no reply to come, and lets go of what waited for that. To be called from time
  // to time while there are any.
  void Sweep();

 private:
  using States = std::vector<std::unique_ptr<ShardConnections>>;

  static void SetAddresses(ShardConnections& state, const std::vector<ResolvedAddress>& addresses);
  // Whether `shard` says where that goes which still waits for an address in `earlier`: they have
  // one place, or the latter is an earlier state of it and had no address yet.
  static bool GoesWhere(const ShardConnections& earlier, const ShardConnections& shard);
  // Whether requests on `before`, of an earlier state of the shard, are under way to an address
  // that it has, or may yet go there.
  static bool IsUnderWay(const ShardConnections& earlier, const UpstreamConnection& before,
                         const ShardConnections& shard);
  // True when nothing of `state` is left. What was closed is added to `closed`, and lives to the
  // end of the turn.
  bool CloseWhatIsDone(ShardConnections& state, std::vector<UpstreamConnection*>& closed);
  void LetGo(const std::vector<UpstreamConnection*>& closed);

  EventLoop& loop_;
  // By the shard's name, oldest first.
  absl::flat_hash_map<std::string, States> states_;
  // Each connection that waits is noted with one that it waits for.
  absl::flat_hash_map<const UpstreamConnection*, const UpstreamConnection*> waits_for_;
  absl::flat_hash_map<const UpstreamConnection*, std::vector<UpstreamConnection*>> waiting_;
};

}  // namespace weir
