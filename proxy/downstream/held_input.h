// HeldInput: the input that a session has read and not dealt with: the beginning of a request, or
// what waits for room.
//
// A value of its Session. Empty it owns no buffer. Bytes that are done with are given back in large
// steps, so that many small requests in a large input cost no copying each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

class HeldInput {
 public:
  bool empty() const { return bytes_.empty(); }
  std::string_view rest() const { return std::string_view(bytes_).substr(begin_); }
  void Append(std::string_view bytes) { bytes_.append(bytes); }

  // The first `count` bytes of rest() are done with.
  void Consume(size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      Clear();
    } else if (begin_ > kStep) {
      bytes_.erase(0, std::exchange(begin_, 0));
    }
  }
  void Clear() {
    std::string().swap(bytes_);
    begin_ = 0;
  }

 private:
  static constexpr size_t kStep = 65536;

  std::string bytes_;
  size_t begin_ = 0;  // done with so far
};

}  // namespace weir
