// SHA-256 (FIPS 180-4), by OpenSSL. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Hexadecimal digits of a digest.
inline constexpr size_t kSha256HexDigits = 64;

// The digest of `text` as kSha256HexDigits lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view text);

}  // namespace weir
