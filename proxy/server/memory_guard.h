// MemoryGuard: keeps what the workers hold for clients and shards below --memory-limit, and what
// they hold for the clients of a pool below its pool_output_limit, and gives memory back to the
// system after a burst.
//
// One per worker, on its loop's thread; nothing happens, and no timer runs, until the worker holds
// more than a small part of the least limit. At 80 % of the limit sessions with unsent output or
// with requests in flight are read no more (lifted at 70 %); those with half a request are, since
// it takes memory until it is whole. At 90 % memory is scarce (ChunkPool::scarce): requests to
// shards that do not take what they were sent are refused. At 100 % the worker that holds most
// closes the sessions that hold most until all fits; of a pool's limit the pools take care
// themselves, when they are told that it could be exceeded. It is judged after the output of the
// turn was offered to the clients: what they take at once is not held. What counts is the memory of
// ChunkPools and what counts with them: replies, and requests on their way or still arriving.
// ProcessMemory, shared by all, adds it up.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "proxy/base/chunk_pool.h"
#include "proxy/event/event_loop.h"

namespace weir {

// What the workers hold together. Built on the main thread before they start; then any thread. The
// pools added outlive every call.
class ProcessMemory {
 public:
  // `limit` in bytes, 0: none. `post_trim` has another thread call TrimNow soon.
  ProcessMemory(uint64_t limit, std::function<void()> post_trim);

  void Add(const ChunkPool& pool) { pools_.push_back(&pool); }

  uint64_t limit() const { return limit_; }
  uint64_t bytes_in_use() const;
  // Whether no pool holds more than this one.
  bool IsLargest(const ChunkPool& pool) const;
  // What a worker may hold before it must look at the whole, where the least of the pools' limits
  // is `pool_limit` (0: none).
  size_t unwatched_bytes(uint64_t pool_limit) const;

  // Asks for a trim: much memory was freed. Requests that come before it is done are one.
  void RequestTrim();
  // Gives free memory back to the system. May take milliseconds: not for a worker.
  void TrimNow();

 private:
  const uint64_t limit_;
  const std::function<void()> post_trim_;
  std::vector<const ChunkPool*> pools_;
  std::atomic<bool> trim_requested_ = false;
};

// What a MemoryGuard acts on: the sessions of its worker.
class SessionsOfWorker {
 public:
  virtual ~SessionsOfWorker() = default;
  virtual void SetMemoryPressure(bool pressure) = 0;
  // Closes the session that holds most; false when none holds anything.
  virtual bool CloseLargestSession() = 0;
  // Keeps the pools' limits, now that all workers together hold so many bytes.
  virtual void KeepPoolLimits(uint64_t bytes_in_use) = 0;
};

class MemoryGuard final : private ChunkPoolWatcher, private TurnEndHandler {
 public:
  // Borrowed; all outlive the guard.
  MemoryGuard(EventLoop& loop, ChunkPool& pool, ProcessMemory& memory, SessionsOfWorker& sessions);
  ~MemoryGuard() override;

  // The least pool_output_limit of all pools, when it has changed; 0: none has one.
  void SetPoolLimit(uint64_t limit);

 private:
  // ChunkPoolWatcher: within an allocation; only remembers.
  void OnMuchInUse() override { loop_.AtTurnEnd(this); }
  void OnTurnEnd() override;
  void Judge();
  void KeepLimit();
  void TrimAfterBurst();

  EventLoop& loop_;
  ChunkPool& pool_;
  ProcessMemory& memory_;
  SessionsOfWorker& sessions_;
  Timer timer_;  // armed while the worker holds much
  uint64_t pool_limit_ = 0;
  bool pressure_ = false;
  bool flushed_ = false;     // the turn's output was offered, so that OnTurnEnd may judge
  bool pools_told_ = false;  // of much that was held, and not yet of less
  size_t peak_ = 0;          // since the last trim
  Moment next_trim_{};
  Moment next_pool_check_{};
};

}  // namespace weir
