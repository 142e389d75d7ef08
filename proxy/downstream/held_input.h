// HeldInput: the input that a session has read and not dealt with: the beginning of a request, or
// what waits for room.
//
// A value of its Session, on its thread. Empty it owns no buffer; what it holds counts with the
// worker's ChunkPool, for --memory-limit. Bytes that are done with are given back once they are the
// larger part, so that each byte is moved at most once on average, whatever is held.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/chunk_pool.h"

namespace weir {

class HeldInput {
 public:
  // `pool` is borrowed and outlives it.
  explicit HeldInput(ChunkPool& pool) : pool_(pool) {}
  ~HeldInput() { Clear(); }
  HeldInput(const HeldInput&) = delete;
  HeldInput& operator=(const HeldInput&) = delete;

  bool empty() const { return bytes_.empty(); }
  // Bytes of memory, also for what is done with and not given back yet.
  size_t size() const { return counted_; }
  std::string_view rest() const { return std::string_view(bytes_).substr(begin_); }
  void Append(std::string_view bytes) {
    bytes_.append(bytes);
    Count(bytes_.capacity());
  }

  // The first `count` bytes of rest() are done with.
  void Consume(size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      Clear();
    } else if (begin_ > std::max(kStep, rest().size())) {
      bytes_.erase(0, std::exchange(begin_, 0));
      if (bytes_.capacity() / 2 > bytes_.size()) bytes_.shrink_to_fit();
      Count(bytes_.capacity());
    }
  }
  void Clear() {
    std::string().swap(bytes_);
    Count(0);
    begin_ = 0;
  }

 private:
  static constexpr size_t kStep = 65536;

  void Count(size_t bytes) {
    if (bytes > counted_) pool_.CountBeside(bytes - counted_);
    if (bytes < counted_) pool_.UncountBeside(counted_ - bytes);
    counted_ = bytes;
  }

  ChunkPool& pool_;
  std::string bytes_;
  size_t begin_ = 0;    // done with so far
  size_t counted_ = 0;  // bytes of memory, as told to the pool
};

}  // namespace weir
