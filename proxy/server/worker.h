// Worker: one thread, one loop, and everything of each pool that runs on it.
//
// Created and destroyed by the Server on the main thread. Every public call is made from outside
// and posts to the loop; the state belongs to the loop's thread alone. How it ends: Stop, then the
// destructor joins the thread; sessions that are left are closed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/config/snapshot.h"
#include "proxy/downstream/listener.h"
#include "proxy/downstream/reply_dispatcher.h"
#include "proxy/event/event_loop.h"
#include "proxy/request/request.h"
#include "proxy/server/pool_runtime.h"
#include "proxy/stats/stats_table.h"

namespace weir {

class Worker {
 public:
  // Counts of the sessions of each pool, by pool name; shared by all workers.
  using CountsByPool = absl::flat_hash_map<std::string, std::shared_ptr<SessionCounts>>;

  Worker(uint32_t index, uint32_t count, HealthReporter& health, absl::Time started_at);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Start();

  // Serves the pools of `snapshot` from the end of a turn on. `stats` is this worker's table for
  // it.
  void Adopt(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats, CountsByPool counts);
  void SetHealth(std::string pool, std::shared_ptr<const Ring> ring, std::vector<bool> live);
  void SetAddresses(std::string pool, std::string shard, std::vector<ResolvedAddress> addresses);

  // Listens for a pool; `on_accept` runs on this worker's thread.
  void AddListener(std::string pool, UniqueFd fd, Listener::OnAccept on_accept);
  // Accepts what waits, then listens no more.
  void RemoveListener(std::string pool);
  // Serves an accepted connection; it was counted before.
  void AddSession(std::string pool, UniqueFd fd);

  // Closes sessions as they fall quiet; `on_empty` runs on the worker's thread once none is left.
  void Drain(std::function<void()> on_empty);
  void Stop();

 private:
  void AdoptNow(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats, CountsByPool counts);
  void CheckDrained();
  PoolRuntime* FindPool(const std::string& name);

  const uint32_t index_;
  std::unique_ptr<EventLoop> loop_;
  ChunkPool chunks_;
  RequestPool requests_;
  ReplyDispatcher dispatcher_;
  const WorkerParts parts_;
  std::shared_ptr<StatsTable> stats_;
  absl::flat_hash_map<std::string, std::unique_ptr<PoolRuntime>> pools_;
  absl::flat_hash_map<std::string, std::unique_ptr<Listener>> listeners_;
  std::function<void()> on_empty_;
  Timer drain_timer_;
  std::thread thread_;
};

}  // namespace weir
