#include "proxy/codec/resp_request_scanner.h"

#include <algorithm>

namespace weir {

ParseResult RespRequestScanner::Scan(std::string_view input) {
  if (!error_.empty()) return {ParseStatus::kError, 0};
  const char* at = input.data();
  const char* const end = at + input.size();
  const uint64_t before = scanned_;
  while (at != end) {
    const Progress progress = Step(at, end);
    scanned_ = before + static_cast<uint64_t>(at - input.data());
    if (progress == Progress::kFailed) return {ParseStatus::kError, 0};
    if (progress == Progress::kFrameDone) {
      return {ParseStatus::kFrame, static_cast<size_t>(at - input.data())};
    }
  }
  return {ParseStatus::kNeedMore, input.size()};
}

RespRequestScanner::Progress RespRequestScanner::Step(const char*& at, const char* end) {
  switch (state_) {
    case State::kStar:
      return Expect(at, '*', State::kCount, kInvalidMultibulk);
    case State::kCount:
      return OnDigits(at, end, State::kCountLf, kInvalidMultibulk);
    case State::kCountLf:
      return *at++ == '\n' ? OnCount() : Fail(kInvalidMultibulk);
    case State::kDollar:
      if (*at != '$') return Fail(ExpectedDollar(*at, error_buffer_));
      ++at;
      state_ = State::kSize;
      return Progress::kOn;
    case State::kSize:
      return OnDigits(at, end, State::kSizeLf, kInvalidBulk);
    case State::kSizeLf:
      return *at++ == '\n' ? OnSize() : Fail(kInvalidBulk);
    case State::kBody:
      return OnBody(at, end);
    case State::kCr:
      return Expect(at, '\r', State::kLf, kMissingLineEnd);
    case State::kLf:
      return *at++ == '\n' ? NextArgument() : Fail(kMissingLineEnd);
  }
  return Progress::kFailed;
}

RespRequestScanner::Progress RespRequestScanner::Expect(const char*& at, char wanted, State next,
                                                        std::string_view error) {
  if (*at++ != wanted) return Fail(error);
  state_ = next;
  return Progress::kOn;
}

// As redis: no sign, no leading zero.
RespRequestScanner::Progress RespRequestScanner::OnDigits(const char*& at, const char* end,
                                                          State next, std::string_view error) {
  const uint64_t limit = next == State::kSizeLf ? limits_.max_bulk_bytes : limits_.max_args;
  const DigitsEnd digits_end = TakeDigits(at, end, limit, number_);
  if (digits_end == DigitsEnd::kTooLarge || number_.leading_zero) return Fail(error);
  if (digits_end == DigitsEnd::kMore) return Progress::kOn;
  if (*at != '\r' || number_.digits == 0) return Fail(error);
  ++at;
  state_ = next;
  return Progress::kOn;
}

RespRequestScanner::Progress RespRequestScanner::OnCount() {
  // One more than there are, for NextArgument.
  arguments_ = number_.value + 1;
  return NextArgument();
}

RespRequestScanner::Progress RespRequestScanner::OnSize() {
  body_remaining_ = number_.value;
  if (scanned_ + body_remaining_ + 2 > limits_.max_request_bytes) return Fail(kTooBigRequest);
  state_ = body_remaining_ > 0 ? State::kBody : State::kCr;
  return Progress::kOn;
}

RespRequestScanner::Progress RespRequestScanner::OnBody(const char*& at, const char* end) {
  const uint64_t taken = std::min<uint64_t>(body_remaining_, static_cast<uint64_t>(end - at));
  at += taken;
  body_remaining_ -= taken;
  if (body_remaining_ == 0) state_ = State::kCr;
  return Progress::kOn;
}

RespRequestScanner::Progress RespRequestScanner::NextArgument() {
  number_ = {};
  state_ = State::kDollar;
  return --arguments_ > 0 ? Progress::kOn : Progress::kFrameDone;
}

RespRequestScanner::Progress RespRequestScanner::Fail(std::string_view error) {
  error_ = error;
  return Progress::kFailed;
}

}  // namespace weir
