// Publisher: brings changed pools to the cache, and waits for the proxies on behalf of callers.
//
// A pool of which no shard is on the ring yet is published as one that does not exist. Bursts are
// debounced: a pool is published when it has not changed for kQuiet, at the latest
// kLongestDelay after the first change; the last state is always published. Time is a parameter, of
// the monotonic clock, which nobody sets: whoever owns the publisher calls RunDue when the time
// that it returned has come, or when `wake` was called.
//
// Thread-safe, but RunDue is called by one thread at a time. Callbacks run without locks.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "controlplane/cache/proxy_registry.h"
#include "controlplane/cache/resource_cache.h"
#include "controlplane/server/pool_state.h"
#include "proxy/base/clock.h"

namespace weir {

// What somebody waits for.
struct AckRequest {
  std::string fleet;
  std::string pool;
  std::vector<AckTarget> targets;
  Moment deadline;  // then those that have not answered are TIMEOUT
  ProxyRegistry::AckWaitDone done;
};

class Publisher {
 public:
  static constexpr Duration kQuiet = std::chrono::milliseconds(100);
  static constexpr Duration kLongestDelay = std::chrono::seconds(1);

  // `cache` and `proxies` outlive the publisher. `wake` is called, by any thread, when RunDue has
  // to be called earlier than it said; it must not call the publisher.
  Publisher(ResourceCache& cache, ProxyRegistry& proxies, std::function<void()> wake);

  // `pool` is `state` now (null: gone); to be published in due time.
  void SetPool(const std::string& pool, PoolPtr state, Moment now);

  // Runs `request.done` once, when the proxies have answered after the pool has been published, or
  // at the deadline.
  void Await(AckRequest request);

  // Nobody is waited for any longer, now or later: waits end with what has been answered.
  void EndWaits();

  // Publishes what is due and ends waits whose time is over; returns when to be called next
  // (kNever: when woken).
  Moment RunDue(Moment now);

 private:
  struct Pending {
    PoolPtr state;
    Moment first;
    Moment due;
    std::vector<AckRequest> waits;
  };
  struct Wait {
    Moment deadline;
    std::shared_ptr<bool> finished;  // guarded by `mutex_`
    std::unique_ptr<AckWait> wait;
  };

  std::map<std::string, Pending> TakeDue(Moment now);
  void Publish(const std::string& pool, const PoolPtr& state);
  void Start(AckRequest request);
  // Takes finished and expired waits off the list.
  std::list<Wait> TakeEnded(Moment now);
  Moment NextDue();

  ResourceCache& cache_;
  ProxyRegistry& proxies_;
  const std::function<void()> wake_;
  std::map<std::string, std::string> published_fleet_;  // by pool; RunDue's

  std::mutex mutex_;
  std::map<std::string, Pending> pending_;  // by pool
  std::list<Wait> waits_;
  bool ending_ = false;
};

}  // namespace weir
