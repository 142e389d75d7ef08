// Server: the process put together — workers, listening sockets, statistics port.
//
// Created and used on the main thread. Apply may be called again with a new snapshot. How it ends:
// Drain, then the destructor; workers are joined there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proxy/config/snapshot.h"
#include "proxy/server/options.h"
#include "proxy/server/pool_runtime.h"
#include "proxy/server/worker.h"
#include "proxy/stats/stats_server.h"
#include "proxy/stats/stats_table.h"

namespace weir {

class Server final : private HealthReporter {
 public:
  // Starts the workers and the statistics port; no pool is served yet.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const Options& options);
  ~Server() override;

  // Serves the pools of `snapshot` instead of those before. On an error (a socket that cannot be
  // opened) everything stays as it was.
  absl::Status Apply(SnapshotPtr snapshot);
  SnapshotPtr snapshot() const { return snapshot_; }

  // Stops accepting and closes sessions as they fall quiet. `on_done` runs on a worker's thread.
  void Drain(std::function<void()> on_done);

 private:
  struct PoolListener {
    uint32_t worker = 0;
    ListenConfig listen;
    uint32_t backlog = 0;
    bool reuseport = false;
    std::shared_ptr<SessionCounts> counts;
  };
  using Listeners = absl::flat_hash_map<std::string, PoolListener>;
  struct OpenedListener {
    std::string pool;
    UniqueFd fd;
  };

  explicit Server(const Options& options);

  // HealthReporter; worker threads.
  void ReportFailure(const std::string& pool, const std::string& shard,
                     ShardFailure failure) override;
  void ReportSuccess(const std::string& pool, const std::string& shard) override;

  absl::StatusOr<std::vector<OpenedListener>> OpenListeners(const Snapshot& snapshot,
                                                            Listeners* next);
  void Publish(const SnapshotPtr& snapshot, const Listeners& listeners);
  void StartListening(const PoolSnapshot& pool, const PoolListener& listener, UniqueFd fd);
  std::string StatsText();

  const Options options_;
  const absl::Time started_at_;
  SnapshotPtr snapshot_;
  Listeners listeners_;
  uint32_t next_listener_worker_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<StatsServer> stats_server_;

  absl::Mutex stats_mutex_;
  std::vector<std::shared_ptr<StatsTable>> stats_ ABSL_GUARDED_BY(stats_mutex_);  // by worker
};

}  // namespace weir
