// ListenerSet: the process's listening sockets, by address, and the pool that each serves.
//
// A socket belongs to an address, not to a pool: when a reload renames a pool, or two pools swap
// addresses, the sockets stay and no connection in an accept queue is lost. One worker owns each
// socket, accepts, and hands each connection to the worker with the fewest sessions of the pool.
//
// Owned by the Server, used on the main thread; the workers are borrowed and outlive it. A change
// is Open, CloseUnused, (the workers adopt the snapshot), Assign; Check tells beforehand what Open
// would say. How it ends: CloseAll, or with the workers, which close the sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proxy/base/unique_fd.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/config/snapshot.h"
#include "proxy/server/listen_names.h"
#include "proxy/server/pool_runtime.h"
#include "proxy/server/worker.h"

namespace weir {

// A pool whose address cannot be had.
struct ListenError {
  std::string pool;
  std::string place;  // where its address was said (ConfigPlace)
  std::string what;
};

class ListenerSet {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;
  // Borrowed.
  using Pools = std::span<const PoolConfig* const>;

  explicit ListenerSet(const Workers& workers) : workers_(workers) {}

  // Opens the sockets that `snapshot` needs and that are not open, without accepting yet; also
  // where one that is about to be closed is in the way, as 0.0.0.0:P is of 127.0.0.1:P. On an
  // error nothing has changed.
  std::vector<ListenError> Open(const Snapshot& snapshot);
  // What Open would say of a snapshot of these pools, save of two new addresses that overlap.
  // Nothing is opened, and names are looked up in the background: until one has an address, it has
  // an error.
  std::vector<ListenError> Check(Pools pools);
  // Closes the sockets that `snapshot` does not need; what waits in their queues is accepted first.
  // Returns when that is done.
  void CloseUnused(const Snapshot& snapshot);
  // Accepts for the pools of `snapshot` from all sockets, within its limits and that of open files.
  // `counts` has the pools' counts of sessions.
  void Assign(const Snapshot& snapshot, const Worker::CountsByPool& counts);
  void CloseAll();

 private:
  // Whom a socket serves; read by the accepting worker.
  struct Target {
    std::mutex mutex;  // guards the rest
    std::string pool;
    Protocol protocol = Protocol::kRedis;
    uint64_t limit = 0;  // client_connections; 0: none
    uint64_t limit_of_all_pools = 0;
    std::shared_ptr<SessionCounts> counts;
  };
  struct Socket {
    uint64_t id = 0;
    uint32_t worker = 0;
    ListenConfig listen;
    uint32_t backlog = 0;
    bool reuseport = false;
    int fd = -1;       // borrowed: the worker closes it
    UniqueFd pending;  // until it is accepted from
    std::shared_ptr<Target> target;
  };
  // By the address as configured.
  using Sockets = std::map<std::string, Socket>;

  // `reuse_port`: its socket is to have SO_REUSEPORT.
  using Attempt = std::function<absl::Status(const PoolConfig& pool, bool reuse_port)>;

  // Makes the attempt for each of `pools` whose address is not open, while the own sockets that
  // none of them needs are in nobody's way. What failed.
  std::vector<ListenError> TryUnopened(Pools pools, const Attempt& attempt) const;
  // Sockets that are open, not `needed`, and on the port of `endpoint`: it may overlap with theirs,
  // as 127.0.0.1 does with 0.0.0.0.
  std::vector<const Socket*> UnusedOnPort(const std::set<std::string>& needed,
                                          const Endpoint& endpoint) const;
  absl::Status OpenOne(const PoolConfig& pool, bool reuse_port, Socket* socket);
  void Adjust(const PoolConfig& pool, Socket* socket);
  void StartAccepting(Socket* socket);
  void Close(const std::vector<Socket>& sockets);

  const Workers& workers_;
  Sockets sockets_;
  ListenNames names_;
  uint64_t next_id_ = 0;
};

}  // namespace weir
