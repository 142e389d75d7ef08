// Finds where a RESP2 or RESP3 frame of any type ends, without looking at its values.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "proxy/codec/parse_status.h"
#include "proxy/codec/resp_digits.h"

namespace weir {

// What one frame may hold. Sizes in bytes.
struct FrameLimits {
  uint32_t max_line_bytes = 1 << 20;       // a simple string, error, number…, without its CRLF
  uint32_t max_depth = 128;                // nested aggregates; at most RespFrameScanner::kMaxDepth
  uint32_t max_elements = 1u << 30;        // announced by one aggregate (a map's: pairs)
  uint64_t max_bulk_bytes = 512ull << 20;  // one bulk, verbatim string or bulk error
};

// For replies of shards, and for requests that are passed on while they arrive.
//
// Takes the bytes of a stream in any pieces and never needs the earlier ones again. Knows all types
// of RESP2 and RESP3 (+ - : $ * _ , # ( ! = ~ % > |). An attribute (|) belongs to the frame that
// follows it; a push (>) is a frame of its own, for the caller to drop. Streamed strings and
// aggregates ($?, *?) are refused. Contents of lines are not validated, only lengths and counts.
//
// A plain value of fixed size, to be kept by whoever owns the stream. Not thread-safe.
class RespFrameScanner {
 public:
  using Result = ParseResult;
  static constexpr uint32_t kMaxDepth = 128;

  explicit RespFrameScanner(const FrameLimits& limits = {}) : limits_(limits) {}

  // Takes the next bytes. kFrame: the frame ends `consumed` bytes into `input`; the next call gets
  // what follows. kNeedMore: all of `input` was taken. kError: the stream is beyond repair; until
  // Reset the answer stays the same, and `consumed` is 0.
  Result Scan(std::string_view input);

  // As new: expects the first byte of a frame.
  void Reset();

  // The type of the frame in progress, or of the last one until the next begins: its first byte,
  // that of the frame proper once attributes are over. 0 if there was none yet.
  char type() const { return type_; }

  // True between the first byte of a frame and its last.
  bool in_frame() const { return in_frame_; }

  // Bytes that are sure to follow of the bulk in progress, its CRLF included; else 0.
  uint64_t announced_bytes() const {
    switch (state_) {
      case State::kBody:
        return body_remaining_ + 2;
      case State::kBodyCr:
        return 2;
      case State::kBodyLf:
        return 1;
      default:
        return 0;
    }
  }

  // After kError: what was wrong, for logs. A constant.
  std::string_view error() const { return error_; }

 private:
  enum class State : uint8_t {
    kType,      // at the first byte of an element
    kNumber,    // in a length or count
    kNumberLf,  // behind its CR
    kLine,      // in a line of text
    kLineLf,    // behind its CR
    kBody,      // in the bytes of a bulk
    kBodyCr,    // behind them
    kBodyLf,    // behind their CR
    kFailed,
  };
  enum class Progress : uint8_t { kOn, kFrameDone, kFailed };

  const char* SkipScalar(const char* at, const char* end) const;
  const char* SkipBulk(const char* at, const char* end) const;
  const char* SkipLine(const char* at, const char* end) const;

  Result ScanByState(std::string_view input);
  Progress Step(const char*& at, const char* end);
  Progress OnType(const char*& at, const char* end);
  Progress OnNumber(const char*& at, const char* end);
  Progress OnLine(const char*& at, const char* end);
  Progress OnBody(const char*& at, const char* end);
  Progress OnNumberComplete();
  Progress OnAggregate(uint64_t count);
  Progress Expect(const char*& at, char wanted, State next);
  Progress ElementDone();
  Progress Fail(const char* error);

  FrameLimits limits_;
  State state_ = State::kType;
  char type_ = 0;  // of the frame
  char kind_ = 0;  // of the element in progress
  bool in_frame_ = false;
  bool negative_ = false;
  uint8_t depth_ = 0;
  uint32_t line_bytes_ = 0;
  RespNumber number_;
  uint64_t body_remaining_ = 0;
  std::bitset<kMaxDepth> attribute_levels_;    // n: whether open aggregate n is an attribute
  std::array<uint32_t, kMaxDepth> remaining_;  // elements, of each open aggregate
  const char* error_ = "";
};

static_assert(std::is_trivially_copyable_v<RespFrameScanner> && sizeof(RespFrameScanner) <= 640);

}  // namespace weir
