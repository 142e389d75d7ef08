// SessionContext: what a worker's sessions of one pool share. Borrowed by them; owned by the
// worker, used on its thread. Ends after the last of them.
#pragma once

#include <cstdint>

#include "proxy/base/chunk_pool.h"
#include "proxy/config/snapshot.h"
#include "proxy/downstream/request_handler.h"
#include "proxy/event/event_loop.h"
#include "proxy/request/request.h"
#include "proxy/routing/shard_selector.h"
#include "proxy/stats/pool_stats.h"
#include "proxy/upstream/pool_connections.h"

namespace weir {

class Session;

// Whoever owns sessions.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  // The session is over; it is to be given to the loop's DeleteLater.
  virtual void OnSessionClosed(Session* session) = 0;
  // Sessions of the pool, on all workers.
  virtual uint64_t SessionsOfPool() const = 0;
};

struct SessionContext {
  EventLoop& loop;
  ChunkPool& chunks;
  RequestPool& requests;
  SessionOwner& owner;
  PoolSnapshotPtr pool;
  ShardSelector& selector;
  PoolConnections& connections;
  RequestHandler& handler;
  PoolStats& stats;
  // Set by the worker while the process is short of memory: sessions with unsent output or requests
  // in flight are not read.
  bool memory_pressure = false;
};

}  // namespace weir
