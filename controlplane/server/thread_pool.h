// ThreadPool: a few threads for work that may block (plans, durable writes), so that gRPC's own
// threads never do.
//
// Work begins in the order in which it came; the queue is bounded. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir {

class ThreadPool {
 public:
  using Work = std::function<void()>;

  // At most `max_queued` pieces of work wait for a thread.
  ThreadPool(size_t threads, size_t max_queued);
  // Runs what is queued, then ends. REQUIRES: nobody adds any more, and not called by its threads.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // False: the queue is full, `work` never runs.
  [[nodiscard]] bool TryAdd(Work work);

 private:
  void Run();

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir
