// ByteQueue: a first-in-first-out run of bytes in chunks of a ChunkPool.
//
//   head                                tail
//   [consumed|unread....] -> ... -> [unread|room]
//
// A value of 24 bytes that owns its chunks and frees them when it ends. Empty queues own nothing;
// others what they have room for: at most twice their bytes, or 4 KiB, before any were consumed.
// Used on the loop thread of the pool's worker. Never fails: limits are the caller's business.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/chunk_pool.h"

namespace weir {

class ByteQueue {
 public:
  ByteQueue() = default;
  ~ByteQueue() { Clear(); }
  ByteQueue(ByteQueue&& other) noexcept
      : head_(std::exchange(other.head_, nullptr)),
        tail_(std::exchange(other.tail_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  ByteQueue& operator=(ByteQueue&& other) noexcept;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Copies `bytes` to the end.
  void Append(ChunkPool& pool, std::string_view bytes) {
    if (tail_ != nullptr && tail_->room() >= bytes.size()) [[likely]] {
      std::memcpy(tail_->data() + tail_->end, bytes.data(), bytes.size());
      tail_->end += static_cast<uint32_t>(bytes.size());
      size_ += bytes.size();
      return;
    }
    AppendSlow(pool, bytes);
  }

  // Moves all of `other` to the end. Small contents are copied, so that many small replies do not
  // become many small chunks.
  void Splice(ChunkPool& pool, ByteQueue&& other);

  // The unread bytes of the first chunk; empty when the queue is.
  std::string_view front() const { return head_ == nullptr ? std::string_view() : head_->unread(); }
  // Fills `out` with the unread bytes in order; answers how many entries were used.
  size_t Gather(std::span<iovec> out) const;
  // Drops the first `bytes` (at most size()).
  void Consume(size_t bytes);
  // Drops `count` bytes that begin at `offset`; both lie within the queue. Copies at most the rest
  // of one chunk, however many bytes are before and behind.
  void Erase(size_t offset, size_t count);
  void Clear();

  // All bytes as one contiguous run: the only chunk's when there is one, else gathered in
  // `scratch`.
  std::string_view Flatten(std::string* scratch) const;

 private:
  void AppendSlow(ChunkPool& pool, std::string_view bytes);

  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  size_t size_ = 0;
};

// Lets the encoders, which want an output with append(), write to a queue.
class ByteQueueWriter {
 public:
  ByteQueueWriter(ChunkPool& pool, ByteQueue& queue) : pool_(pool), queue_(queue) {}
  void append(std::string_view bytes) { queue_.Append(pool_, bytes); }

 private:
  ChunkPool& pool_;
  ByteQueue& queue_;
};

}  // namespace weir
