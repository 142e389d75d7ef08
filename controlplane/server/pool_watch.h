// What one caller of WatchPools has not been told yet.
//
// Names only: whoever sends looks up the pools' latest state, so that a slow reader gets that and
// nothing in between. Thread-safe. Shared by ControlPlane, which marks changes, and the call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weir {

class PoolWatch {
 public:
  // `fleet` empty: all. `wake` runs on the thread that makes a change, at most once until the next
  // Take; it must not block or call the watch.
  PoolWatch(std::string fleet, std::function<void()> wake)
      : fleet_(std::move(fleet)), wake_(std::move(wake)) {}
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;

  // Something about the pool has changed.
  void Mark(const std::string& pool);
  // The reader is told of the pool, and that its proxies stand so; any text that says how.
  void Told(const std::string& pool, std::string stand);
  // The pool is none that the reader is to see. True when it was told of it, and has to be told.
  bool Forget(const std::string& pool);
  // Marks the pool when the reader was told that its proxies stand otherwise.
  void Compare(const std::string& pool, const std::string& stand);
  // Up to `count` names, forgotten here; empty: nothing has changed.
  std::vector<std::string> Take(size_t count);
  // Nothing is marked that has not been taken.
  bool empty() const;

  const std::string& fleet() const { return fleet_; }

  // --- of the call that sends, one at a time ---
  bool synced = false;  // it has been told that it has everything

 private:
  const std::string fleet_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::set<std::string> marked_;
  std::map<std::string, std::string>
      told_;           // by pool that the reader believes to exist: how its proxies stood
  bool woken_ = true;  // until the first Take, which the call makes by itself
};

}  // namespace weir
