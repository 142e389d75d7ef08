#include "proxy/base/byte_queue.h"

#include <algorithm>

#include "proxy/base/check.h"

namespace weir {
namespace {

// Up to this many bytes a splice copies.
constexpr size_t kCopyOnSplice = 2048;

}  // namespace

ByteQueue& ByteQueue::operator=(ByteQueue&& other) noexcept {
  if (this != &other) {
    Clear();
    head_ = std::exchange(other.head_, nullptr);
    tail_ = std::exchange(other.tail_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void ByteQueue::AppendSlow(ChunkPool& pool, std::string_view bytes) {
  while (!bytes.empty()) {
    if (tail_ == nullptr || tail_->room() == 0) {
      // A queue that grows gets larger chunks, so that long outputs need few of them; but no more
      // room than it has bytes, since many queues of middling replies may wait for their turn.
      const size_t wanted = std::max(bytes.size(), std::min<size_t>(size_, 1 << 16));
      Chunk* chunk = pool.Allocate(wanted, size_ + 2 * bytes.size());
      (tail_ == nullptr ? head_ : tail_->next) = chunk;
      tail_ = chunk;
    }
    size_t count = std::min<size_t>(bytes.size(), tail_->room());
    std::memcpy(tail_->data() + tail_->end, bytes.data(), count);
    tail_->end += static_cast<uint32_t>(count);
    size_ += count;
    bytes.remove_prefix(count);
  }
}

void ByteQueue::Splice(ChunkPool& pool, ByteQueue&& other) {
  if (other.empty()) return;
  if (head_ == nullptr) {
    *this = std::move(other);
    return;
  }
  if (other.size_ <= kCopyOnSplice) {
    for (Chunk* chunk = other.head_; chunk != nullptr; chunk = chunk->next) {
      Append(pool, chunk->unread());
    }
    other.Clear();
    return;
  }
  tail_->next = std::exchange(other.head_, nullptr);
  tail_ = std::exchange(other.tail_, nullptr);
  size_ += std::exchange(other.size_, 0);
}

size_t ByteQueue::Gather(std::span<iovec> out) const {
  size_t used = 0;
  for (Chunk* chunk = head_; chunk != nullptr && used < out.size(); chunk = chunk->next) {
    out[used++] = {chunk->data() + chunk->begin, chunk->end - chunk->begin};
  }
  return used;
}

void ByteQueue::Consume(size_t bytes) {
  CHECK_LE(bytes, size_);
  size_ -= bytes;
  while (head_ != nullptr) {
    size_t unread = head_->end - head_->begin;
    if (bytes < unread) {
      head_->begin += static_cast<uint32_t>(bytes);
      return;
    }
    bytes -= unread;
    Chunk* next = head_->next;
    head_->pool->Free(head_);
    head_ = next;
  }
  tail_ = nullptr;
}

void ByteQueue::Erase(size_t offset, size_t count) {
  CHECK_LE(offset + count, size_);
  if (offset == 0) return Consume(count);
  size_ -= count;
  // The chunk with the last byte that stays in front.
  Chunk* chunk = head_;
  while (offset > chunk->unread().size()) {
    offset -= chunk->unread().size();
    chunk = chunk->next;
  }
  const size_t behind = chunk->unread().size() - offset;
  const size_t here = std::min(count, behind);
  char* hole = chunk->data() + chunk->begin + offset;
  std::memmove(hole, hole + here, behind - here);
  chunk->end -= static_cast<uint32_t>(here);
  count -= here;
  while (count > 0) {
    Chunk* next = chunk->next;
    const size_t unread = next->unread().size();
    if (count < unread) {
      next->begin += static_cast<uint32_t>(count);
      return;
    }
    count -= unread;
    chunk->next = next->next;
    if (tail_ == next) tail_ = chunk;
    next->pool->Free(next);
  }
}

void ByteQueue::Clear() {
  while (head_ != nullptr) {
    Chunk* next = head_->next;
    head_->pool->Free(head_);
    head_ = next;
  }
  tail_ = nullptr;
  size_ = 0;
}

std::string_view ByteQueue::Flatten(std::string* scratch) const {
  if (head_ == tail_) return front();
  scratch->clear();
  scratch->reserve(size_);
  for (Chunk* chunk = head_; chunk != nullptr; chunk = chunk->next) {
    scratch->append(chunk->unread());
  }
  return *scratch;
}

}  // namespace weir
