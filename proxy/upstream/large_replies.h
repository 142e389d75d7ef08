// LargeReplies: which requests had a large reply of late, so that the same ones are given a
// connection of their own before their next large reply holds up others.
//
// A request is known by a mark, a hash of its frame. While no reply has been large for
// kRememberedFor requests nothing is hashed: then the first large reply only begins the watch, and
// the second one to the same request is remembered. Two requests may share a mark, and a remembered
// one pushes out another: either costs speed alone.
//
// A value of its PoolConnections, pure, on that worker's thread. Allocates with the first large
// reply.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/hash/hash.h"

namespace weir {

class LargeReplies {
 public:
  // Requests longer than this are not marked.
  static constexpr size_t kMostBytes = 512;
  // All is forgotten when so many requests were marked since a reply was large.
  static constexpr uint32_t kRememberedFor = 1 << 20;

  // 0: not marked.
  using Mark = uint32_t;

  // Whether there is anything to know: nobody need ask, or mark requests, while there is not.
  bool watching() const { return left_ > 0; }
  // The mark of a request that is to be sent. REQUIRES: watching().
  Mark MarkOf(std::string_view frame) {
    if (--left_ == 0) marks_.clear();
    return Hash(frame);
  }
  // Whether the reply to such a request was large the last time. REQUIRES: watching().
  bool Expects(std::string_view frame) const {
    const Mark mark = Hash(frame);
    return mark != 0 && marks_[mark % kPlaces] == mark;
  }

  // A reply to a request with this mark is large.
  void Add(Mark mark) {
    left_ = kRememberedFor;
    marks_.resize(kPlaces);
    if (mark != 0) marks_[mark % kPlaces] = mark;
  }
  // One was not.
  void Forget(Mark mark) {
    if (marks_.empty() || mark == 0) return;
    if (Mark& place = marks_[mark % kPlaces]; place == mark) place = 0;
  }

 private:
  static constexpr size_t kPlaces = 1024;

  static Mark Hash(std::string_view frame) {
    return frame.size() > kMostBytes ? 0 : static_cast<Mark>(absl::HashOf(frame));
  }

  uint32_t left_ = 0;
  std::vector<Mark> marks_;  // by mark % kPlaces
};

}  // namespace weir
