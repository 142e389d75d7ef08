// SessionCounts: how many sessions of a pool each worker has, so that a new one goes to the worker
// with the fewest, and how many bytes they have not read, so that the pool's limit holds over all.
//
// One per pool, shared by all workers and kept across reloads; ends with the last who holds it. Any
// thread: the accepting worker counts a session up before it hands it over, the worker that serves
// it counts it down at its end and tells from time to time what is unsent. Relaxed atomics: a
// choice made on numbers of a moment ago is as good.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir {

class SessionCounts {
 public:
  // By worker.
  using Counts = std::vector<std::atomic<uint32_t>>;

  // `of_all_pools` has one count for each worker, at least one, and is shared by the pools.
  explicit SessionCounts(std::shared_ptr<Counts> of_all_pools)
      : of_all_pools_(std::move(of_all_pools)),
        of_pool_(of_all_pools_->size()),
        unsent_(of_all_pools_->size()) {}

  void Add(uint32_t worker) {
    of_pool_[worker].fetch_add(1, std::memory_order_relaxed);
    (*of_all_pools_)[worker].fetch_add(1, std::memory_order_relaxed);
  }
  void Remove(uint32_t worker) {
    of_pool_[worker].fetch_sub(1, std::memory_order_relaxed);
    (*of_all_pools_)[worker].fetch_sub(1, std::memory_order_relaxed);
  }

  // Of this pool, on all workers.
  uint64_t total() const;
  // Of all pools.
  uint64_t total_of_all_pools() const;

  // The worker with the fewest sessions of the pool; of equal ones that with the fewest in all; of
  // equal ones the next from `first` on.
  uint32_t LeastLoaded(uint32_t first) const;

  // Reply bytes that the worker holds for this pool's sessions, as it has told last.
  void SetUnsent(uint32_t worker, uint64_t bytes) {
    unsent_[worker].store(bytes, std::memory_order_relaxed);
  }
  uint64_t total_unsent() const;
  // Whether no worker has told of more.
  bool HasMostUnsent(uint32_t worker) const;

 private:
  const std::shared_ptr<Counts> of_all_pools_;
  Counts of_pool_;
  std::vector<std::atomic<uint64_t>> unsent_;  // by worker
};

}  // namespace weir
