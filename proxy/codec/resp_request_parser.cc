#include "proxy/codec/resp_request_parser.h"

#include <algorithm>
#include <cstring>

#include "proxy/codec/inline_args.h"
#include "proxy/codec/resp_digits.h"
#include "proxy/codec/resp_request_errors.h"

namespace weir {
namespace {

constexpr std::string_view kTooBigInline = "ERR Protocol error: too big inline request";
constexpr std::string_view kUnbalanced = "ERR Protocol error: unbalanced quotes in request";
constexpr std::string_view kNulByte = "ERR Protocol error: NUL byte in inline request";

constexpr uint64_t kSmallestBulk = 6;  // "$0\r\n\r\n"
constexpr uint64_t kMostNegative = 999'999'999'999'999'999;
constexpr size_t kArgsToKeep = 4096;        // capacity that survives a request
constexpr size_t kScratchToKeep = 4 << 10;  // bytes

// Reads "NUMBER\r\n" character by character; as redis, without leading zeros or a plus sign.
// A number above `limit` fails at the digit that makes it so. `at` moves only with kFrame.
[[gnu::noinline]] ParseStatus ReadLengthSlowly(const char*& at, const char* end, int64_t limit,
                                               bool may_be_negative, int64_t& value) {
  const char* p = at;
  if (p == end) return ParseStatus::kNeedMore;
  const bool negative = *p == '-';
  if (negative && !may_be_negative) return ParseStatus::kError;
  if (negative) ++p;
  RespNumber number;
  const DigitsEnd digits_end =
      TakeDigits(p, end, negative ? kMostNegative : static_cast<uint64_t>(limit), number);
  if (digits_end == DigitsEnd::kTooLarge || number.leading_zero) return ParseStatus::kError;
  if (digits_end == DigitsEnd::kMore) return ParseStatus::kNeedMore;
  if (number.digits == 0 || (negative && number.value == 0) || *p != '\r') {
    return ParseStatus::kError;
  }
  if (p + 1 == end) return ParseStatus::kNeedMore;
  if (p[1] != '\n') return ParseStatus::kError;
  value = static_cast<int64_t>(number.value);
  if (negative) value = -value;
  at = p + 2;
  return ParseStatus::kFrame;
}

// The same for up to three digits, which is nearly always. `limit` is for the caller to check.
inline ParseStatus ReadLength(const char*& at, const char* end, int64_t limit, bool may_be_negative,
                              int64_t& value) {
  const char* p = at;
  if (end - p >= 5) [[likely]] {
    const unsigned a = Digit(p[0]);
    const unsigned b = Digit(p[1]);
    const unsigned c = Digit(p[2]);
    if (a <= 9 && p[1] == '\r' && p[2] == '\n') {
      value = a;
      at = p + 3;
      return ParseStatus::kFrame;
    }
    if (a - 1 <= 8 && b <= 9) {
      if (p[2] == '\r' && p[3] == '\n') {
        value = a * 10 + b;
        at = p + 4;
        return ParseStatus::kFrame;
      }
      if (c <= 9 && p[3] == '\r' && p[4] == '\n') {
        value = a * 100 + b * 10 + c;
        at = p + 5;
        return ParseStatus::kFrame;
      }
    }
  }
  return ReadLengthSlowly(at, end, limit, may_be_negative, value);
}

}  // namespace

RespRequestParser::Result RespRequestParser::Parse(std::string_view input) {
  base_ = input.data();
  if (state_ != State::kStart) [[unlikely]] {
    return Resume(input);
  }
  BeginFrame();
  if (input.empty()) [[unlikely]] {
    return Suspend(input, State::kStart, 0, 0);
  }
  if (input[0] != '*') [[unlikely]] {
    return ParseInline(input);
  }
  return ParseCount(input);
}

void RespRequestParser::BeginFrame() {
  args_.clear();
  args_are_partial_ = false;
  is_inline_ = false;
  declared_args_ = 0;
}

RespRequestParser::Result RespRequestParser::Resume(std::string_view input) {
  args_.clear();
  switch (state_) {
    case State::kInline:
      return ParseInline(input);
    case State::kBulkHeader:
    case State::kBulkBody:
      return ParseBulks(input, input.data() + resume_at_, remaining_);
    case State::kCount:
    case State::kStart:
      break;
  }
  return ParseCount(input);
}

RespRequestParser::Result RespRequestParser::ParseCount(std::string_view input) {
  const char* at = input.data() + 1;
  const char* end = input.data() + input.size();
  int64_t count = 0;
  const ParseStatus status = ReadLength(at, end, limits_.max_args, true, count);
  if (status == ParseStatus::kNeedMore) [[unlikely]] {
    remaining_ = 0;
    return Suspend(input, State::kCount, 0, input.size());
  }
  if (status == ParseStatus::kError || count > int64_t{limits_.max_args}) [[unlikely]] {
    return Fail(kInvalidMultibulk);
  }
  declared_args_ = count;
  return ParseBulks(input, at, count);
}

RespRequestParser::Result RespRequestParser::ParseBulks(std::string_view input, const char* at,
                                                        int64_t remaining) {
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  const auto offset = [begin](const char* p) { return static_cast<size_t>(p - begin); };
  bool in_body = state_ == State::kBulkBody;
  for (; remaining > 0; --remaining) {
    const char* body = at;
    uint64_t size = bulk_size_;
    if (!in_body) [[likely]] {
      remaining_ = remaining;
      if (at == end) [[unlikely]] {
        return Suspend(input, State::kBulkHeader, offset(at), offset(at));
      }
      if (*at != '$') [[unlikely]] {
        return Fail(ExpectedDollar(*at, error_buffer_));
      }
      body = at + 1;
      int64_t announced = 0;
      const auto limit = static_cast<int64_t>(limits_.max_bulk_bytes);
      const ParseStatus status = ReadLength(body, end, limit, false, announced);
      if (status == ParseStatus::kNeedMore) [[unlikely]] {
        return Suspend(input, State::kBulkHeader, offset(at), input.size());
      }
      if (status == ParseStatus::kError || announced > limit) [[unlikely]] {
        return Fail(kInvalidBulk);
      }
      size = static_cast<uint64_t>(announced);
      if (offset(body) + size + 2 > limits_.max_request_bytes) [[unlikely]] {
        return Fail(kTooBigRequest);
      }
    }
    in_body = false;
    if (static_cast<uint64_t>(end - body) < size + 2) [[unlikely]] {
      bulk_size_ = size;
      remaining_ = remaining;
      return Suspend(input, State::kBulkBody, offset(body), offset(body));
    }
    if (body[size] != '\r' || body[size + 1] != '\n') [[unlikely]] {
      return Fail(kMissingLineEnd);
    }
    args_.emplace_back(body, size);
    at = body + size + 2;
  }
  return Finish(input, at);
}

RespRequestParser::Result RespRequestParser::ParseInline(std::string_view input) {
  is_inline_ = true;
  const size_t searched = state_ == State::kInline ? resume_at_ : 0;
  // One byte more than the line may have: the line end itself, or proof that it is too long. A CR
  // before the line end counts as part of the line.
  const size_t window = std::min<size_t>(input.size(), size_t{limits_.max_line_bytes} + 1);
  const void* found = std::memchr(input.data() + searched, '\n', window - searched);
  if (found == nullptr) {
    if (window > limits_.max_line_bytes) return Fail(kTooBigInline);
    return Suspend(input, State::kInline, window, window);
  }
  const char* line_end = static_cast<const char*>(found);
  std::string_view line = input.substr(0, static_cast<size_t>(line_end - input.data()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  switch (SplitInlineArgs(line, args_, scratch_)) {
    case InlineSplit::kUnbalancedQuotes:
      return Fail(kUnbalanced);
    case InlineSplit::kNulByte:
      return Fail(kNulByte);
    case InlineSplit::kOk:
      break;
  }
  return Finish(input, line_end + 1);
}

inline RespRequestParser::Result RespRequestParser::Finish(std::string_view input,
                                                           const char* end) {
  state_ = State::kStart;
  if (!extents_.empty()) [[unlikely]] {
    StoreExtents(input);
    CollectArgs();
    extents_.clear();
  }
  return {ParseStatus::kFrame, static_cast<size_t>(end - input.data())};
}

// Remembers where the arguments lie that this call found: only those, so that a request of many
// arguments in many pieces stays linear.
void RespRequestParser::StoreExtents(std::string_view input) {
  for (std::string_view arg : args_) {
    extents_.push_back({static_cast<uint64_t>(arg.data() - input.data()), arg.size()});
  }
  args_are_partial_ = !extents_.empty();
}

void RespRequestParser::CollectArgs() {
  args_.clear();
  for (const Extent& extent : extents_) args_.emplace_back(base_ + extent.offset, extent.size);
  args_are_partial_ = false;
}

RespRequestParser::Result RespRequestParser::Suspend(std::string_view input, State state,
                                                     size_t resume_at, size_t examined_to) {
  const size_t began_at = state_ == State::kStart ? 0 : resume_at_;
  examined_bytes_ += examined_to - std::min(began_at, examined_to);
  state_ = state;
  resume_at_ = resume_at;
  StoreExtents(input);
  argument_end_ = state == State::kBulkBody ? resume_at + bulk_size_ + 2 : input.size() + 1;
  switch (state) {
    case State::kStart:
    case State::kInline:
      wanted_bytes_ = input.size() + 1;
      break;
    case State::kCount:
      wanted_bytes_ = std::max<uint64_t>(input.size() + 1, 4);  // "*0\r\n"
      break;
    case State::kBulkHeader:
      wanted_bytes_ = std::max(input.size() + 1, resume_at + remaining_ * kSmallestBulk);
      break;
    case State::kBulkBody:
      wanted_bytes_ = argument_end_ + (remaining_ - 1) * kSmallestBulk;
      break;
  }
  return {ParseStatus::kNeedMore, 0};
}

RespRequestParser::Result RespRequestParser::Fail(std::string_view error) {
  Reset();
  error_ = error;
  return {ParseStatus::kError, 0};
}

void RespRequestParser::Reset() {
  BeginFrame();
  state_ = State::kStart;
  error_ = {};
  extents_.clear();
  if (args_.capacity() > kArgsToKeep) std::vector<std::string_view>().swap(args_);
  if (extents_.capacity() > kArgsToKeep) std::vector<Extent>().swap(extents_);
  if (scratch_.capacity() > kScratchToKeep) std::string().swap(scratch_);
}

}  // namespace weir
