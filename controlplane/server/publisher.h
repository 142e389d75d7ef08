// Publisher: brings changed pools to the cache, and waits for the proxies on behalf of callers.
//
// Bursts are debounced: a pool is published when it has not changed for kQuiet, at the latest
// kLongestDelay after the first change; the last state is always published. Time is a parameter:
// whoever owns the publisher calls RunDue when the time that it returned has come, or when `wake`
// was called.
//
// Thread-safe, but RunDue is called by one thread at a time. Callbacks run without locks.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controlplane/cache/proxy_registry.h"
#include "controlplane/cache/resource_cache.h"
#include "controlplane/server/pool_state.h"

namespace weir {

// What somebody waits for.
struct AckRequest {
  std::string fleet;
  std::string pool;
  std::vector<AckTarget> targets;
  absl::Time deadline;  // then those that have not answered are TIMEOUT
  ProxyRegistry::AckWaitDone done;
};

class Publisher {
 public:
  static constexpr absl::Duration kQuiet = absl::Milliseconds(100);
  static constexpr absl::Duration kLongestDelay = absl::Seconds(1);

  // `cache` and `proxies` outlive the publisher. `wake` is called, by any thread, when RunDue has
  // to be called earlier than it said; it must not call the publisher.
  Publisher(ResourceCache& cache, ProxyRegistry& proxies, std::function<void()> wake);

  // `pool` is `state` now (null: gone); to be published in due time.
  void SetPool(const std::string& pool, PoolPtr state, absl::Time now);

  // Runs `request.done` once, when the proxies have answered after the pool has been published, or
  // at the deadline.
  void Await(AckRequest request);

  // Nobody is waited for any longer, now or later: waits end with what has been answered.
  void EndWaits();

  // Publishes what is due and ends waits whose time is over; returns when to be called next
  // (infinite future: when woken).
  absl::Time RunDue(absl::Time now);

 private:
  struct Pending {
    PoolPtr state;
    absl::Time first;
    absl::Time due;
    std::vector<AckRequest> waits;
  };
  struct Wait {
    absl::Time deadline;
    std::shared_ptr<bool> finished;  // guarded by `mutex_`
    std::unique_ptr<AckWait> wait;
  };

  std::map<std::string, Pending> TakeDue(absl::Time now);
  void Publish(const std::string& pool, const PoolPtr& state);
  void Start(AckRequest request);
  // Takes finished and expired waits off the list.
  std::list<Wait> TakeEnded(absl::Time now);
  absl::Time NextDue();

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
