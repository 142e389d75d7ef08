#include "proxy/base/utf8.h"

#include <array>

namespace weir {

Utf8Character FirstUtf8Character(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return {.code = byte(0)};
  struct Form {
    uint8_t mask, lead;
    uint32_t least;  // shorter forms are to be used below it
  };
  constexpr std::array<Form, 3> kForms = {
      {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}}};
  for (size_t more = 1; more <= kForms.size(); ++more) {
    const Form& form = kForms[more - 1];
    if ((byte(0) & form.mask) != form.lead) continue;
    if (text.size() <= more) return {};
    uint32_t code = byte(0) & static_cast<uint8_t>(~form.mask);
    for (size_t i = 1; i <= more; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return {};
      code = code << 6 | (byte(i) & 0x3f);
    }
    const bool is_surrogate = code >= 0xd800 && code < 0xe000;
    if (code < form.least || code > 0x10ffff || is_surrogate) return {};
    return {.code = code, .bytes = more + 1};
  }
  return {};
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character first = FirstUtf8Character(text);
    if (first.code == Utf8Character::kInvalid) return false;
    text.remove_prefix(first.bytes);
  }
  return true;
}

std::string_view CutUtf8(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<uint8_t>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace weir
