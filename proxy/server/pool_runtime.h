// PoolRuntime: one pool on one worker — its sessions, its connections to the shards, its routing.
//
// Owned by the Worker, used on its loop thread. A reload updates it in place, so that sessions and
// connections live on. How it ends: once the pool is gone from the configuration, the worker lets
// its sessions finish (CloseQuietSessions) and destroys it when none is left.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/base/unique_fd.h"
#include "proxy/config/snapshot.h"
#include "proxy/downstream/reply_dispatcher.h"
#include "proxy/downstream/session.h"
#include "proxy/downstream/session_context.h"
#include "proxy/event/event_loop.h"
#include "proxy/routing/shard_selector.h"
#include "proxy/server/session_counts.h"
#include "proxy/stats/stats_table.h"
#include "proxy/upstream/pool_connections.h"

namespace weir {

// Whom a worker tells what it has learned of a shard. The calls come on worker threads.
class HealthReporter {
 public:
  virtual ~HealthReporter() = default;
  virtual void ReportFailure(const std::string& pool, const ShardConfig& shard,
                             ShardFailure failure) = 0;
  virtual void ReportSuccess(const std::string& pool, const ShardConfig& shard) = 0;
  // The shard closed a connection that was idle: no failure, but its name may lead elsewhere by
  // now.
  virtual void ReportIdleClose(const ShardConfig& shard) = 0;
  // A shard of `pool` knows ConnectionVariant::kBase only.
  virtual void ReportVariantRefused(const PoolSnapshotPtr& pool) = 0;
};

// The parts of a worker that its pools use; borrowed.
struct WorkerParts {
  EventLoop& loop;
  ChunkPool& chunks;
  RequestPool& requests;
  ReplySink& sink;
  HealthReporter& health;
  uint32_t worker_index;
  uint32_t worker_count;
  absl::Time started_at;
  uint64_t& sessions_so_far;  // of all pools
};

class PoolRuntime final : private SessionOwner, private ShardObserver {
 public:
  // `pool_index` is its place in `stats`; the table is shared.
  PoolRuntime(const WorkerParts& worker, const PoolSnapshotPtr& pool,
              std::shared_ptr<StatsTable> stats, size_t pool_index,
              std::shared_ptr<SessionCounts> counts);
  ~PoolRuntime() override;

  const PoolSnapshot& pool() const { return *context_.pool; }

  // Whether Update may make this the runtime of `pool`: it speaks the same protocol.
  bool CanBecome(const PoolSnapshot& pool) const {
    return pool.config.redis == context_.pool->config.redis;
  }
  // Between turns: serves another state of the pool. Sessions stay, and so do the connections of
  // the shards that did not change; shards stay ejected until SetHealth says otherwise.
  void Update(PoolSnapshotPtr pool, std::shared_ptr<StatsTable> stats, size_t pool_index);
  // The pool is no longer configured: nothing is reported of its shards any more.
  void Leave() { leaving_ = true; }

  // Serves an accepted connection, counted in `counted`: another pool's counts when it was accepted
  // for one of this name that has left. It counts with this pool from here on.
  void AddSession(UniqueFd fd, SessionCounts& counted);
  // A connection was refused: client_connections, or too few open files.
  void CountRefused() { context_.stats.sessions_refused.Add(); }
  void SetHealth(std::shared_ptr<const Ring> ring, std::vector<bool> live);
  // A shard knows the base variant only, as this worker or another has learned: it is spoken to all
  // of them until other servers are configured.
  void SpeakBaseVariant() { handler_->OnVariantRefused(); }
  // What the host name of `endpoint` stands for now; empty: nothing.
  void SetAddresses(const Endpoint& endpoint, const std::vector<ResolvedAddress>& addresses);

  // Closes each session once nothing is read or pending on it and it was idle for `idle`.
  void CloseQuietSessions(Duration idle);
  void CloseAllSessions();
  // Reads nothing more; each session closes when what was read from it is answered.
  void EndAllSessions();
  size_t session_count() const { return sessions_.size(); }

  // Sessions with unsent output are not read while the process is short of memory.
  void SetMemoryPressure(bool pressure);
  // Closes the sessions with most unsent output until the pool has at most pool_output_limit of it,
  // where this worker has most of it. `bytes_in_use` is what all workers hold in all: as long as
  // that is less nothing need be counted.
  void KeepOutputLimit(uint64_t bytes_in_use);
  // The session that holds the most bytes; null when none holds any.
  Session* FindLargestSession();

 private:
  // Looks after sessions that do not move; runs while there are any.
  void CheckProgress();
  void OnSessionClosed(Session* session) override;
  uint64_t SessionsOfPool() const override { return counts_->total(); }
  void OnShardFailure(uint32_t shard, ShardFailure failure) override;
  void OnShardSuccess(uint32_t shard) override;
  void OnIdleClose(uint32_t shard) override;
  void OnVariantRefused(uint32_t shard) override;
  void OnLargeReply(UpstreamConnection& connection) override {
    connections_.NoteLargeReply(connection);
  }
  bool MustWait(UpstreamConnection& connection) override {
    return connections_.MustWait(connection);
  }
  bool IsEjected(uint32_t shard) const override {
    return shard != kRemovedShard && selector_.ejected(shard);
  }

  const WorkerParts worker_;
  std::shared_ptr<StatsTable> stats_;
  std::shared_ptr<SessionCounts> counts_;
  ShardSelector selector_;
  PoolConnections connections_;
  std::unique_ptr<RequestHandler> handler_;
  SessionContext context_;
  std::vector<std::unique_ptr<Session>> sessions_;
  // Indexes of shards by FormatEndpoint. Made when a name's addresses are told, for all that
  // follow.
  absl::flat_hash_map<std::string, std::vector<uint32_t>> shards_at_;
  bool leaving_ = false;
  Timer progress_timer_;
};

}  // namespace weir
