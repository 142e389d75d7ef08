// Memory for bytes on their way: chunks of a few sizes, kept on free lists.
//
// Owned by one worker and used on its loop thread only (so there are no locks). Chunks of the four
// standard sizes are recycled: as many bytes of each size stay free as are in use in all, and at
// least kMinFreeBytes. The excess goes back to the system, so that memory returns after a burst.
// `bytes_in_use` is what limits are judged by; other threads may read it. Memory of other kinds
// that is to be judged with the chunks counts by CountBeside. The pool must outlive its chunks and
// what is counted so (checked in the destructor).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

class ChunkPool;

// A run of memory of one pool: [consumed | unread | room].
struct Chunk {
  Chunk* next = nullptr;
  ChunkPool* pool = nullptr;
  uint32_t begin = 0;  // first unread byte
  uint32_t end = 0;    // first byte of the room
  uint32_t capacity = 0;
  uint32_t size_class = 0;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view unread() { return {data() + begin, end - begin}; }
  uint32_t room() const { return capacity - end; }
};

// Told that a pool holds much. Called within Allocate and CountBeside: it may only take note.
class ChunkPoolWatcher {
 public:
  virtual ~ChunkPoolWatcher() = default;
  virtual void OnMuchInUse() = 0;
};

class ChunkPool {
 public:
  static constexpr size_t kUnwatched = static_cast<size_t>(-1);
  // Whole allocations of the standard sizes, header included. A reply of 16 KiB and its header fit
  // the third.
  static constexpr std::array<uint32_t, 4> kSizes = {512, 4096, 20480, 65536};
  // Free chunks kept per size however little is in use, in bytes.
  static constexpr size_t kMinFreeBytes = 1 << 20;

  ChunkPool() = default;
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // An empty chunk: the smallest with room for `wanted` bytes, but none with room for more than
  // `most`; from the second size down that is not looked at. Else the largest that may be.
  Chunk* Allocate(size_t wanted, size_t most = static_cast<size_t>(-1));
  void Free(Chunk* chunk);

  // `bytes` are held elsewhere and count as in use, until UncountBeside.
  void CountBeside(size_t bytes) {
    beside_bytes_ += bytes;
    AddInUse(static_cast<int64_t>(bytes));
  }
  void UncountBeside(size_t bytes) {
    beside_bytes_ -= bytes;
    AddInUse(-static_cast<int64_t>(bytes));
  }

  // `watcher` (borrowed) is told of each allocation that leaves more than `bytes` in use.
  void Watch(size_t bytes, ChunkPoolWatcher* watcher) {
    watched_bytes_ = bytes;
    watcher_ = watcher;
  }

  // Memory is scarce: whoever can refuse to hold more, does. Said by who watches.
  void SetScarce(bool scarce) { scarce_ = scarce; }
  bool scarce() const { return scarce_; }

  // Bytes in chunks handed out, and beside them. Any thread.
  size_t bytes_in_use() const { return bytes_in_use_.load(std::memory_order_relaxed); }

 private:
  // Gives one back to the system; false when that does not take it.
  bool DeleteFree(uint32_t size_class);
  void AddInUse(int64_t bytes) {
    // Only the owner writes, so a load and a store do: no locked instruction.
    const size_t in_use = bytes_in_use_.load(std::memory_order_relaxed) + bytes;
    bytes_in_use_.store(in_use, std::memory_order_relaxed);
    if (bytes > 0 && in_use > watched_bytes_) [[unlikely]] {
      watcher_->OnMuchInUse();
    }
  }

  std::array<Chunk*, kSizes.size()> free_ = {};
  std::array<size_t, kSizes.size()> free_bytes_ = {};
  std::atomic<size_t> bytes_in_use_ = 0;
  size_t beside_bytes_ = 0;
  size_t watched_bytes_ = kUnwatched;
  ChunkPoolWatcher* watcher_ = nullptr;
  bool scarce_ = false;
};

}  // namespace weir
