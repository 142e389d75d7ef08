// Server: the process put together — workers, health owner, names of shards, listening sockets,
// statistics port.
//
// Created and used on the main thread; some calls wait for the workers, which never block. Apply
// may be called again with a new snapshot. How it ends: StopAccepting, Drain, then the destructor,
// which closes what sessions are left; workers are joined there.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/config/snapshot.h"
#include "proxy/health/health_owner.h"
#include "proxy/server/listener_set.h"
#include "proxy/server/memory_guard.h"
#include "proxy/server/options.h"
#include "proxy/server/pool_runtime.h"
#include "proxy/server/report.h"
#include "proxy/server/shard_names.h"
#include "proxy/server/worker.h"
#include "proxy/stats/stats_server.h"
#include "proxy/stats/stats_table.h"

namespace weir {

class Server final : private HealthReporter, private HealthPublisher {
 public:
  // Starts the workers and the statistics port; no pool is served yet. `main_loop` (borrowed) gets
  // what takes too long for a worker, and a call of `on_health` for each ejection and restore.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const Options& options,
                                                        EventLoop& main_loop,
                                                        std::function<void()> on_health);
  ~Server() override;

  // Serves the pools of `snapshot` instead of those before: sessions stay, as do the connections of
  // unchanged shards; pools that are gone let their sessions finish. On return every worker serves
  // it. On an error (sockets that cannot be opened) everything stays as it was.
  std::vector<ListenError> Apply(const SnapshotPtr& snapshot);

  // Whose address could not be had if these were the pools to serve. Changes nothing and does not
  // block, so a name that has no address yet is an error.
  std::vector<ListenError> CheckListen(ListenerSet::Pools pools) { return listeners_.Check(pools); }

  // For the control plane, without what is applied and rates: sessions, and each shard's health
  // and counts.
  v1::Report MakeReport();

  // Accepts what waits and closes the listening sockets; Unix sockets' files are removed.
  void StopAccepting();
  // Closes sessions as they fall quiet. `on_done` runs on a worker's thread once none is left.
  void Drain(const std::function<void()>& on_done);
  // Reads no more from any session; each closes when what was read is answered.
  void EndSessions();

 private:
  Server(const Options& options, EventLoop& main_loop, std::function<void()> on_health);

  // HealthReporter; worker threads.
  void ReportFailure(const std::string& pool, const ShardConfig& shard,
                     ShardFailure failure) override;
  void ReportSuccess(const std::string& pool, const ShardConfig& shard) override;
  void ReportIdleClose(const ShardConfig& shard) override;
  void ReportVariantRefused(const PoolSnapshotPtr& pool) override;
  // HealthPublisher; the health owner's thread.
  void PublishHealth(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring,
                     std::vector<bool> live) override;
  // A resolver's thread, or Apply's.
  void PublishAddresses(const Endpoint& endpoint, const Addresses& addresses);

  void Publish(const SnapshotPtr& snapshot, const std::function<void()>& on_adopted);
  std::string StatsText();

  const Options options_;
  const absl::Time started_at_;
  EventLoop& main_loop_;
  const std::function<void()> on_health_;
  SnapshotPtr snapshot_;
  // Workers report to these two until the last of them is joined; both are stopped before.
  HealthOwner health_;
  ShardNames names_;
  // Shared with what is posted to the main loop.
  std::shared_ptr<ProcessMemory> memory_;
  std::vector<std::unique_ptr<Worker>> workers_;
  ListenerSet listeners_;
  const std::shared_ptr<SessionCounts::Counts> sessions_;
  Worker::CountsByPool counts_;
  std::unique_ptr<StatsServer> stats_server_;

  std::mutex stats_mutex_;
  // By worker; the health owner's is last. Guarded by stats_mutex_.
  std::vector<std::shared_ptr<StatsTable>> stats_;
  // Of pools with ejected shards, as last published. Guarded by stats_mutex_.
  EjectedShards ejected_;
};

}  // namespace weir
