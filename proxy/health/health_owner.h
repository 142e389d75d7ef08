// HealthOwner: the process's one opinion on which shards are live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"
#include "proxy/config/snapshot.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/timer_queue.h"
#include "proxy/health/health_tracker.h"
#include "proxy/health/prober.h"
#include "proxy/stats/stats_table.h"

namespace weir {

// Hands the owner's decisions to the workers. Called on the owner's thread.
class HealthPublisher {
 public:
  virtual ~HealthPublisher() = default;
  // From now on requests of `pool` go by `ring`, and those that it sends to shards that are not
  // `live` fail at once. Void for a worker that serves another snapshot of the pool by then.
  virtual void PublishHealth(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring,
                             std::vector<bool> live) = 0;
};

// One thread with a loop of its own, off the data path: one HealthTracker per pool, the probes they
// ask for, and a publication whenever their opinion changes. Workers report to it and obey it, so
// that a key has one way through the process. Owned by the Server.
//
// Everything public may be called from any thread; it posts to the owner's loop, in order. How it
// ends: Stop joins the thread, after which nothing is published and reports are dropped; then the
// destructor.
class HealthOwner {
 public:
  // `publisher` is borrowed.
  explicit HealthOwner(HealthPublisher& publisher);
  ~HealthOwner();
  HealthOwner(const HealthOwner&) = delete;
  HealthOwner& operator=(const HealthOwner&) = delete;

  void Start();
  void Stop();

  // Looks after the pools of `snapshot` from now on; shards of the same name keep their state, but
  // an ejected one that has another endpoint, password or database is probed there at once. The
  // health of every pool is published anew: call it after the workers were told of the snapshot.
  // `stats` is the owner's own table for it.
  void Apply(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats);

  // What a host name stands for now: probes of the shards at `endpoint` go there, and at once when
  // that is news. Literal addresses need not be told.
  void SetAddresses(Endpoint endpoint, std::vector<ResolvedAddress> addresses);

  // From workers; names that are unknown (any more) are ignored.
  void ReportFailure(std::string pool, std::string shard, ShardFailure kind);
  void ReportSuccess(std::string pool, std::string shard);

 private:
  // Indexes in PoolConfig::servers by name.
  using ShardIndexes = absl::flat_hash_map<std::string_view, size_t>;

  struct Pool {
    PoolSnapshotPtr snapshot;
    ShardIndexes shards;  // of `snapshot`, whose names these are
    size_t stats_index;   // in stats_
    HealthTracker tracker;
    absl::flat_hash_map<uint64_t, std::unique_ptr<Probe>> probes;  // under way, by id
  };
  using Pools = absl::flat_hash_map<std::string, std::unique_ptr<Pool>>;

  static ShardIndexes IndexByName(const PoolConfig& config);
  // The shards of `now` that `old_pool`, with these shards, has elsewhere, or where it introduces
  // itself otherwise.
  static std::vector<size_t> MovedShards(const PoolSnapshot& old_pool,
                                         const ShardIndexes& old_shards, const PoolSnapshot& now);

  void Post(EventLoop::Message message);
  void ApplyNow(const Snapshot& snapshot, std::shared_ptr<StatsTable> stats);
  void OnAddressesChanged(const Endpoint& endpoint);
  void CancelProbes(Pool& pool);
  // Does what a tracker asks for, and publishes when its opinion has changed.
  void Perform(Pool& pool, const HealthTracker::Actions& actions);
  void OnEject(Pool& pool, const HealthAction& action);
  void OnRestore(Pool& pool, const HealthAction& action);
  void Note(const Pool& pool, const HealthAction& action);
  void StartProbe(Pool& pool, const HealthAction& action);
  void OnProbeDone(const std::string& pool_name, size_t shard, uint64_t probe_id,
                   const absl::Status& result);
  void Publish(const Pool& pool);
  std::vector<ResolvedAddress> AddressesOf(const ShardConfig& shard) const;
  Pool* FindPool(const std::string& name);
  void OnTimer();
  void ArmTimer();

  HealthPublisher& publisher_;
  std::unique_ptr<EventLoop> loop_;
  ChunkPool chunks_;
  std::shared_ptr<StatsTable> stats_;
  Pools pools_;
  absl::flat_hash_map<std::string, std::vector<ResolvedAddress>> resolved_;  // by FormatEndpoint
  Timer timer_;
  bool ended_ = false;  // what was posted and never ran is dropped
  std::thread thread_;
};

}  // namespace weir
