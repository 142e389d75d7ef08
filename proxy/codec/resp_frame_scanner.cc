#include "proxy/codec/resp_frame_scanner.h"

#include <algorithm>
#include <cstring>

namespace weir {
namespace {

const char* FindCr(const char* from, const char* end) {
  return static_cast<const char*>(std::memchr(from, '\r', static_cast<size_t>(end - from)));
}

}  // namespace

RespFrameScanner::Result RespFrameScanner::Scan(std::string_view input) {
  if (!in_frame_) [[likely]] {
    const char* const begin = input.data();
    if (const char* after = SkipScalar(begin, begin + input.size())) [[likely]] {
      type_ = *begin;
      return {ParseStatus::kFrame, static_cast<size_t>(after - begin)};
    }
  }
  return ScanByState(input);
}

// The three Skip functions return the position behind a whole, well-formed scalar at `at`, and null
// if there is none: then the states find out what is missing or wrong. They change nothing.
inline const char* RespFrameScanner::SkipScalar(const char* at, const char* end) const {
  if (end - at < 3 || state_ == State::kFailed) return nullptr;
  if (*at == '$') [[likely]] {
    return SkipBulk(at, end);
  }
  switch (*at) {
    case '=':
    case '!':
      return SkipBulk(at, end);
    case '+':
    case '-':
    case ':':
    case '_':
    case ',':
    case '#':
    case '(':
      return SkipLine(at, end);
    default:
      return nullptr;
  }
}

inline const char* RespFrameScanner::SkipBulk(const char* at, const char* end) const {
  const char* p = at + 1;
  uint64_t size = Digit(*p);
  if (size > 9) {
    const bool null = *at == '$' && end - at >= 5 && std::memcmp(p, "-1\r\n", 4) == 0;
    return null ? at + 5 : nullptr;
  }
  for (++p; p != end && Digit(*p) <= 9; ++p) {
    if (p - at > 9) return nullptr;
    size = size * 10 + Digit(*p);
  }
  if (end - p < 4 || static_cast<uint64_t>(end - p) < size + 4) return nullptr;
  if (p[0] != '\r' || p[1] != '\n' || size > limits_.max_bulk_bytes) return nullptr;
  p += 2 + size;
  return p[0] == '\r' && p[1] == '\n' ? p + 2 : nullptr;
}

inline const char* RespFrameScanner::SkipLine(const char* at, const char* end) const {
  const char* p = at + 1;
  // Most lines are "+OK" or a short number: no call for those.
  const char* near = end - p > 8 ? p + 8 : end;
  while (p != near && *p != '\r') ++p;
  if (p == near) {
    if (p == end || (p = FindCr(p, end)) == nullptr) return nullptr;
  }
  if (end - p < 2 || p[1] != '\n') return nullptr;
  return p - at - 1 <= static_cast<ptrdiff_t>(limits_.max_line_bytes) ? p + 2 : nullptr;
}

void RespFrameScanner::Reset() { *this = RespFrameScanner(limits_); }

RespFrameScanner::Result RespFrameScanner::ScanByState(std::string_view input) {
  const char* at = input.data();
  const char* const end = at + input.size();
  if (state_ == State::kFailed) return {ParseStatus::kError, 0};
  while (at != end) {
    switch (Step(at, end)) {
      case Progress::kOn:
        break;
      case Progress::kFrameDone:
        return {ParseStatus::kFrame, static_cast<size_t>(at - input.data())};
      case Progress::kFailed:
        return {ParseStatus::kError, 0};
    }
  }
  return {ParseStatus::kNeedMore, input.size()};
}

// Takes at least one byte of at least one.
RespFrameScanner::Progress RespFrameScanner::Step(const char*& at, const char* end) {
  switch (state_) {
    case State::kType:
      return OnType(at, end);
    case State::kNumber:
      return OnNumber(at, end);
    case State::kNumberLf:
      if (*at++ != '\n') return Fail("length without CRLF");
      return OnNumberComplete();
    case State::kLine:
      return OnLine(at, end);
    case State::kLineLf:
      if (*at++ != '\n') return Fail("CR in a line");
      return ElementDone();
    case State::kBody:
      return OnBody(at, end);
    case State::kBodyCr:
      return Expect(at, '\r', State::kBodyLf);
    case State::kBodyLf:
      if (*at++ != '\n') return Fail("bulk without CRLF");
      return ElementDone();
    case State::kFailed:
      break;
  }
  return Progress::kFailed;
}

RespFrameScanner::Progress RespFrameScanner::Expect(const char*& at, char wanted, State next) {
  if (*at++ != wanted) return Fail("bulk without CRLF");
  state_ = next;
  return Progress::kOn;
}

RespFrameScanner::Progress RespFrameScanner::OnType(const char*& at, const char* end) {
  if (depth_ == 0) type_ = *at;
  in_frame_ = true;
  while (const char* after = SkipScalar(at, end)) {
    at = after;
    if (depth_ == 0 || remaining_[depth_ - 1] == 1) return ElementDone();
    --remaining_[depth_ - 1];
  }
  if (at == end) return Progress::kOn;
  kind_ = *at++;
  number_ = {};
  negative_ = false;
  line_bytes_ = 0;
  switch (kind_) {
    case '+':
    case '-':
    case ':':
    case '_':
    case ',':
    case '#':
    case '(':
      state_ = State::kLine;
      return Progress::kOn;
    case '>':
      if (depth_ > 0) return Fail("push inside another frame");
      [[fallthrough]];
    case '$':
    case '!':
    case '=':
    case '*':
    case '~':
    case '%':
    case '|':
      state_ = State::kNumber;
      return Progress::kOn;
    case ';':
    case '.':
      return Fail("streamed RESP3 values are not supported");
    default:
      return Fail("unknown type");
  }
}

RespFrameScanner::Progress RespFrameScanner::OnNumber(const char*& at, const char* end) {
  const bool is_bulk = kind_ == '$' || kind_ == '!' || kind_ == '=';
  const uint64_t limit = is_bulk ? limits_.max_bulk_bytes : limits_.max_elements;
  const DigitsEnd digits_end = TakeDigits(at, end, limit, number_);
  if (number_.value > limit) return Fail(is_bulk ? "bulk too large" : "too many elements");
  if (digits_end == DigitsEnd::kTooLarge) return Fail("invalid length");
  if (digits_end == DigitsEnd::kMore) return Progress::kOn;
  const char c = *at++;
  if (c == '\r' && number_.digits > 0) {
    state_ = State::kNumberLf;
    return Progress::kOn;
  }
  if (number_.digits > 0 || negative_) return Fail("invalid length");
  if (c == '?') return Fail("streamed RESP3 values are not supported");
  if (c != '-') return Fail("invalid length");
  negative_ = true;
  return Progress::kOn;
}

RespFrameScanner::Progress RespFrameScanner::OnNumberComplete() {
  if (negative_) {  // the nulls of RESP2
    const bool is_null =
        (kind_ == '$' || kind_ == '*') && number_.value == 1 && number_.digits == 1;
    if (!is_null) return Fail("invalid length");
    return ElementDone();
  }
  if (kind_ != '$' && kind_ != '!' && kind_ != '=') return OnAggregate(number_.value);
  body_remaining_ = number_.value;
  state_ = body_remaining_ > 0 ? State::kBody : State::kBodyCr;
  return Progress::kOn;
}

RespFrameScanner::Progress RespFrameScanner::OnAggregate(uint64_t count) {
  const bool is_attribute = kind_ == '|';
  if (is_attribute || kind_ == '%') count *= 2;
  if (count > UINT32_MAX) return Fail("too many elements");
  state_ = State::kType;
  if (count == 0) return is_attribute ? Progress::kOn : ElementDone();
  if (depth_ >= std::min(limits_.max_depth, kMaxDepth)) return Fail("nested too deeply");
  attribute_levels_[depth_] = is_attribute;
  remaining_[depth_++] = static_cast<uint32_t>(count);
  return Progress::kOn;
}

RespFrameScanner::Progress RespFrameScanner::OnLine(const char*& at, const char* end) {
  const uint32_t allowed = limits_.max_line_bytes - line_bytes_;
  const char* cr = FindCr(at, end);
  const auto length = static_cast<size_t>((cr != nullptr ? cr : end) - at);
  if (length > allowed) return Fail("line too long");
  line_bytes_ += static_cast<uint32_t>(length);
  at = cr != nullptr ? cr + 1 : end;
  if (cr != nullptr) state_ = State::kLineLf;
  return Progress::kOn;
}

RespFrameScanner::Progress RespFrameScanner::OnBody(const char*& at, const char* end) {
  const uint64_t taken = std::min<uint64_t>(body_remaining_, static_cast<uint64_t>(end - at));
  at += taken;
  body_remaining_ -= taken;
  if (body_remaining_ == 0) state_ = State::kBodyCr;
  return Progress::kOn;
}

// An element is complete, and with it every aggregate of which it was the last.
RespFrameScanner::Progress RespFrameScanner::ElementDone() {
  state_ = State::kType;
  while (depth_ > 0) {
    if (--remaining_[depth_ - 1] > 0) return Progress::kOn;
    --depth_;
    // The end of an attribute completes nothing: what it belongs to follows.
    if (attribute_levels_[depth_]) return Progress::kOn;
  }
  in_frame_ = false;
  return Progress::kFrameDone;
}

RespFrameScanner::Progress RespFrameScanner::Fail(const char* error) {
  state_ = State::kFailed;
  error_ = error;
  return Progress::kFailed;
}

}  // namespace weir
