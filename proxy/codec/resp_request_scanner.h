// RespRequestScanner: finds the end of a request that is passed on while it arrives.
//
// For large requests, whose bytes are not kept: an array of bulk strings and nothing else, checked
// as strictly and refused in the same words as by RespRequestParser. A value; pure; never
// allocates; its cost does not depend on the size of the values.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/codec/parse_status.h"
#include "proxy/codec/resp_digits.h"
#include "proxy/codec/resp_request_errors.h"
#include "proxy/codec/resp_request_parser.h"

namespace weir {

class RespRequestScanner {
 public:
  explicit RespRequestScanner(const RequestLimits& limits = {}) : limits_(limits) {}

  // The next bytes of one request, each given once. After kFrame the request ends `consumed` bytes
  // into `input`; after kNeedMore all of it is consumed; after kError every call is one.
  ParseResult Scan(std::string_view input);

  // After kError: the reply's text without "-" and line end. A view into the scanner.
  std::string_view error() const { return error_; }

 private:
  enum class State : uint8_t { kStar, kCount, kCountLf, kDollar, kSize, kSizeLf, kBody, kCr, kLf };
  enum class Progress : uint8_t { kOn, kFrameDone, kFailed };

  // Takes the bytes of one item of the grammar, at least one.
  Progress Step(const char*& at, const char* end);
  Progress OnDigits(const char*& at, const char* end, State next, std::string_view error);
  Progress OnBody(const char*& at, const char* end);
  Progress OnCount();
  Progress OnSize();
  Progress Expect(const char*& at, char wanted, State next, std::string_view error);
  Progress NextArgument();
  Progress Fail(std::string_view error);

  RequestLimits limits_;
  State state_ = State::kStar;
  RespNumber number_;            // the count or size in progress
  uint64_t body_remaining_ = 0;  // of the argument in progress
  uint64_t arguments_ = 0;       // not yet complete
  uint64_t scanned_ = 0;         // bytes before the input at hand
  std::string_view error_;
  ExpectedDollarBuffer error_buffer_ = {};
};

}  // namespace weir
