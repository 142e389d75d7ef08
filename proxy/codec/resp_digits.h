// The digits of a length or count in RESP ("$512\r\n"), as its scanners read them.
#pragma once

#include <cstdint>

namespace weir {

// The value of a digit; more than 9 when `c` is none.
constexpr unsigned Digit(char c) { return static_cast<unsigned char>(c) - unsigned{'0'}; }

// A number of which digits may still come.
struct RespNumber {
  uint64_t value = 0;
  uint8_t digits = 0;
  bool leading_zero = false;  // a zero in front of other digits
};

// The most digits whose value always fits into 64 bits.
inline constexpr uint8_t kMaxRespDigits = 19;

enum class DigitsEnd : uint8_t {
  kMore,      // the input has ended
  kOther,     // `at` is behind the last digit
  kTooLarge,  // above the limit, or more than kMaxRespDigits
};

// Takes the digits at `at`, as far as they are here. `at` moves over what was taken. REQUIRES:
// `limit` < 10^18.
constexpr DigitsEnd TakeDigits(const char*& at, const char* end, uint64_t limit,
                               RespNumber& number) {
  for (; at != end && Digit(*at) <= 9; ++at) {
    if (number.digits > 0 && number.value == 0) number.leading_zero = true;
    number.value = number.value * 10 + Digit(*at);
    if (number.value > limit || ++number.digits > kMaxRespDigits) return DigitsEnd::kTooLarge;
  }
  return at == end ? DigitsEnd::kMore : DigitsEnd::kOther;
}

}  // namespace weir
