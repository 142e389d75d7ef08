// Worker: one thread, one loop, and everything of each pool that runs on it.
//
// Created and destroyed by the Server on the main thread. Every public call is made from outside
// and posts to the loop; the state belongs to the loop's thread alone. Callbacks given to it run on
// that thread. How it ends: Stop and Join, then the destructor closes what sessions are left.
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
#include "proxy/server/memory_guard.h"
#include "proxy/server/pool_runtime.h"
#include "proxy/stats/stats_table.h"

namespace weir {

class Worker final : private SessionsOfWorker {
 public:
  // Counts of the sessions of each pool, by pool name; shared by all workers.
  using CountsByPool = absl::flat_hash_map<std::string, std::shared_ptr<SessionCounts>>;

  // Sessions of a pool that leaves the configuration may take `leave_limit` to finish.
  Worker(uint32_t index, uint32_t count, HealthReporter& health, absl::Time started_at,
         Duration leave_limit, ProcessMemory& memory);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Start();

  // Serves the pools of `snapshot` from then on, between two turns; then calls `on_adopted`.
  // `stats` is this worker's table for it.
  void Adopt(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats, CountsByPool counts,
             std::function<void()> on_adopted);
  // Without effect when the worker serves another state of the pool by then.
  void SetHealth(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring, std::vector<bool> live);
  // A shard of `pool` knows the base variant only. Without effect when the pool has other servers
  // by then.
  void SpeakBaseVariant(PoolSnapshotPtr pool);
  // Where all shards at `endpoint`, a host name, are served now; empty: nowhere.
  void SetAddresses(Endpoint endpoint, std::vector<ResolvedAddress> addresses);

  // Accepts connections from `fd`; `listener` is its name towards RemoveListener. After an Adopt.
  void AddListener(uint64_t listener, UniqueFd fd, Listener::OnAccept on_accept);
  // Accepts what waits, closes the socket, then calls `on_removed`.
  void RemoveListener(uint64_t listener, std::function<void()> on_removed);
  // Serves an accepted connection, counted in `counts` for this worker before; one whose pool has
  // left in the meantime is closed.
  void AddSession(std::string pool, std::shared_ptr<SessionCounts> counts, UniqueFd fd);
  // A connection was refused by a limit. On the worker's thread only.
  void CountRefused(const std::string& pool);

  // Closes sessions as they fall quiet; `on_empty` runs once none is left.
  void Drain(std::function<void()> on_empty);
  // Reads no more from any session; each closes when what was read is answered.
  void EndSessions();
  void Stop();
  // Waits for the thread's end. Until all workers have ended, none may be destroyed: they post to
  // each other.
  void Join();

 private:
  // SessionsOfWorker.
  void SetMemoryPressure(bool pressure) override;
  bool CloseLargestSession() override;
  void KeepPoolLimits(uint64_t bytes_in_use) override;

  // A pool that is no longer configured, until its sessions are gone.
  struct LeavingPool {
    std::unique_ptr<PoolRuntime> runtime;
    Moment since;
    bool ended = false;  // its sessions are read no more
  };

  void AdoptNow(const SnapshotPtr& snapshot, std::shared_ptr<StatsTable> stats,
                const CountsByPool& counts);
  // Goes on closing what is to end: sessions of leaving pools, and all of them in a drain.
  void Sweep();
  void SweepLeavingPools();
  // Those that are configured, and those that leave.
  template <typename Function>
  void ForEachPool(const Function& function);
  PoolRuntime* FindPool(const std::string& name);

  const Duration leave_limit_;
  ProcessMemory& memory_;
  std::unique_ptr<EventLoop> loop_;
  ChunkPool chunks_;
  RequestPool requests_;
  ReplyDispatcher dispatcher_;
  uint64_t sessions_so_far_ = 0;
  const WorkerParts parts_;
  std::shared_ptr<StatsTable> stats_;
  absl::flat_hash_map<std::string, std::unique_ptr<PoolRuntime>> pools_;
  std::vector<LeavingPool> leaving_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Listener>> listeners_;
  std::function<void()> on_empty_;  // set while draining
  Timer sweep_timer_;
  std::unique_ptr<MemoryGuard> guard_;  // from Start on, when all pools of chunks are known
  bool memory_pressure_ = false;
  std::thread thread_;
};

}  // namespace weir
