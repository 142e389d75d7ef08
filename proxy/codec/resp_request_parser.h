// Requests as redis clients send them: arrays of bulk strings, and inline commands.
//
//   *2\r\n$3\r\nGET\r\n$3\r\nkey\r\n          GET key\r\n
//
// The hottest code of the proxy: lengths of up to three digits are read without a loop, values are
// never looked at, and a request of known size costs no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/codec/parse_status.h"
#include "proxy/codec/resp_request_errors.h"

namespace weir {

// What a client may send. Sizes in bytes.
struct RequestLimits {
  uint32_t max_line_bytes = 64 << 10;       // an inline command, without its line end
  uint32_t max_args = 1 << 20;              // arguments, the command's name included
  uint64_t max_bulk_bytes = 512ull << 20;   // one argument
  uint64_t max_request_bytes = 1ull << 30;  // the whole frame, as announced
};

// Finds one request at the beginning of a contiguous input.
//
// After kNeedMore the next Parse must get the same bytes and more behind them; they may have moved
// to another address. It goes on where it stopped: what is read again is the one length line in
// progress (at most 24 bytes), so the cost is linear whatever the pieces. `consumed` is the size of
// the frame after kFrame, and 0 otherwise. After kFrame and kError the next Parse begins afresh.
//
// Errors are decided by the bytes alone, not by how they were split: a number that breaks a limit
// is refused at its first digit too many, and an announced size never reserves memory.
//
// A value: one per worker serves all sessions; a session that is left in the middle of a request
// takes a copy of the parser along with the bytes, and the worker's is Reset. Views into a parser
// (args, error) do not follow it into its copies. Not thread-safe.
class RespRequestParser {
 public:
  using Result = ParseResult;

  explicit RespRequestParser(const RequestLimits& limits = {}) : limits_(limits) {}

  Result Parse(std::string_view input);

  // Forgets the frame in progress, and gives back memory that an unusually long request needed.
  void Reset();

  // After kFrame: the arguments, the command's name first. None for an empty frame (`*0`, `*-1`, a
  // blank line), which is ignored without a reply. After kNeedMore: those complete so far.
  // Views into the last input, or, for quoted inline arguments, into this parser; valid until the
  // next Parse or Reset. After kNeedMore the call costs time in proportion to their number.
  std::span<const std::string_view> args() {
    if (args_are_partial_) [[unlikely]] {
      CollectArgs();
    }
    return args_;
  }

  // True if the frame is an inline command: its bytes cannot be forwarded as they are.
  bool is_inline() const { return is_inline_; }

  // Of an array whose first line was read: the number of arguments it announced. Else 0.
  int64_t declared_args() const { return declared_args_; }

  // After kNeedMore: the size of the whole frame is at least this, by what was announced so far.
  uint64_t wanted_bytes() const { return wanted_bytes_; }

  // After kNeedMore: where the argument in progress ends, its line end included, or the next byte
  // where that is not known yet.
  uint64_t argument_end() const { return argument_end_; }

  // After kError: the reply's text without "-" and line end, worded as redis does.
  std::string_view error() const { return error_; }

  // What the parser holds beside itself, in bytes: in proportion to the arguments found so far of
  // an unfinished frame, for whoever accounts for memory.
  size_t memory_bytes() const {
    return args_.capacity() * sizeof(std::string_view) + extents_.capacity() * sizeof(Extent) +
           scratch_.capacity();
  }

  // How many bytes the calls that ended in kNeedMore looked at; values are not looked at.
  uint64_t TEST_examined_bytes() const { return examined_bytes_; }

 private:
  enum class State : uint8_t { kStart, kInline, kCount, kBulkHeader, kBulkBody };

  // Where a complete argument of an unfinished frame lies, whatever address the input has.
  struct Extent {
    uint64_t offset;
    uint64_t size;
  };

  Result ParseInline(std::string_view input);
  Result ParseCount(std::string_view input);
  Result ParseBulks(std::string_view input, const char* at, int64_t remaining);
  Result Resume(std::string_view input);
  Result Finish(std::string_view input, const char* end);
  Result Suspend(std::string_view input, State state, size_t resume_at, size_t examined_to);
  Result Fail(std::string_view error);
  void BeginFrame();
  void StoreExtents(std::string_view input);
  void CollectArgs();

  RequestLimits limits_;
  State state_ = State::kStart;
  bool is_inline_ = false;
  bool args_are_partial_ = false;  // args_ does not hold all arguments; extents_ does
  ExpectedDollarBuffer error_buffer_ = {};
  int64_t declared_args_ = 0;
  std::vector<std::string_view> args_;  // arguments found by the last Parse, or all of them
  std::string scratch_;                 // unescaped inline arguments
  std::string_view error_;

  // Only of a frame in progress.
  std::vector<Extent> extents_;
  const char* base_ = nullptr;  // the last input
  size_t resume_at_ = 0;        // offset of the item in progress
  int64_t remaining_ = 0;       // arguments not yet complete
  uint64_t bulk_size_ = 0;      // kBulkBody: of the argument in progress
  uint64_t wanted_bytes_ = 0;
  uint64_t argument_end_ = 0;
  uint64_t examined_bytes_ = 0;
};

}  // namespace weir
