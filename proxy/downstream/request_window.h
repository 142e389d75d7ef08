// RequestWindow: how many requests a session may have in flight, by the size of its replies.
//
// A value of its ReplyQueue, pure. It starts small, doubles while replies are small and it is what
// holds input back, and shrinks so that window × recent reply size fits the room for replies.
#pragma once

#include <algorithm>
#include <cstdint>

namespace weir {

class RequestWindow {
 public:
  // Requests in flight: at the beginning, and at most.
  static constexpr uint32_t kFirst = 32;
  static constexpr uint32_t kLargest = 4096;

  enum class Change : uint8_t { kNone, kGrown, kShrunk };

  uint32_t size() const { return size_; }
  // Bytes of a reply; jumps up, falls slowly.
  uint64_t typical_reply() const { return typical_reply_; }

  // Whether input waits because as many requests as this are in flight.
  void SetHoldsBack(bool holds_back) { holds_back_ = holds_back; }

  // A reply of `bytes` left. `room`: bytes of replies that may be on their way.
  Change NoteReply(uint64_t bytes, uint64_t room) {
    typical_reply_ = std::max(bytes, typical_reply_ - typical_reply_ / 8);
    if (size_ * typical_reply_ > room) {
      size_ = static_cast<uint32_t>(std::max<uint64_t>(1, room / typical_reply_));
      return Change::kShrunk;
    }
    if (holds_back_ && size_ < kLargest && 2 * size_ * typical_reply_ <= room) {
      size_ *= 2;
      holds_back_ = false;  // doubles once each time it holds input back
      return Change::kGrown;
    }
    return Change::kNone;
  }

 private:
  uint32_t size_ = kFirst;
  bool holds_back_ = false;
  uint64_t typical_reply_ = 0;
};

}  // namespace weir
