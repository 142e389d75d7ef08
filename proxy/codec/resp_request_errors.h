// What is wrong with bytes that are no request, in redis' words: texts of error replies, without
// "-" and line end. Shared by the parser of requests and the scanner of large ones.
#pragma once

#include <cstring>
#include <string_view>

namespace weir {

inline constexpr std::string_view kInvalidMultibulk =
    "ERR Protocol error: invalid multibulk length";
inline constexpr std::string_view kInvalidBulk = "ERR Protocol error: invalid bulk length";
inline constexpr std::string_view kMissingLineEnd =
    "ERR Protocol error: expected CRLF after bulk string";
inline constexpr std::string_view kTooBigRequest = "ERR Protocol error: too big request";

using ExpectedDollarBuffer = char[48];

// "expected '$', got 'X'", written into `buffer`; an unprintable byte shows as '?'.
inline std::string_view ExpectedDollar(char got, ExpectedDollarBuffer& buffer) {
  constexpr std::string_view kText = "ERR Protocol error: expected '$', got '?'";
  static_assert(kText.size() <= sizeof(ExpectedDollarBuffer));
  std::memcpy(buffer, kText.data(), kText.size());
  if (got == '\r' || got == '\n') got = ' ';
  if (got >= ' ' && got <= '~') buffer[kText.size() - 2] = got;
  return {buffer, kText.size()};
}

}  // namespace weir
