// UTF-8, as protocol buffers take it: no surrogates, no longer form than needed, nothing beyond
// U+10FFFF. Pure functions, callable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

struct Utf8Character {
  static constexpr uint32_t kInvalid = UINT32_MAX;

  uint32_t code = kInvalid;  // kInvalid: a byte that is no UTF-8
  size_t bytes = 1;
};

// The first character of `text`. REQUIRES: it is not empty.
Utf8Character FirstUtf8Character(std::string_view text);

// Whether all of `text` is UTF-8; the empty text is.
bool IsUtf8(std::string_view text);

// The beginning of `text`, at most `bytes` long; where `text` is UTF-8 the result is, too.
std::string_view CutUtf8(std::string_view text, size_t bytes);

}  // namespace weir
