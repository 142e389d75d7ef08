#include "controlplane/ctl/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "proxy/base/utf8.h"

namespace weir {
namespace {

struct Range {
  uint32_t first, last;
};

bool IsIn(std::span<const Range> ranges, uint32_t code) {
  return std::ranges::any_of(
      ranges, [code](const Range& range) { return code >= range.first && code <= range.last; });
}

// Controls of C0 and C1, and those that turn the direction of writing round.
constexpr std::array<Range, 5> kUnsafe = {
    {{0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}}};
constexpr std::array<Range, 6> kCombining = {{{0x300, 0x36f},
                                              {0x1ab0, 0x1aff},
                                              {0x200b, 0x200d},
                                              {0x20d0, 0x20ff},
                                              {0xfe00, 0xfe0f},
                                              {0xfe20, 0xfe2f}}};
constexpr std::array<Range, 7> kWide = {{{0x1100, 0x115f},
                                         {0x2e80, 0xa4cf},
                                         {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},
                                         {0xfe30, 0xfe6f},
                                         {0xff00, 0xff60},
                                         {0x1f300, 0x3fffd}}};

}  // namespace

std::string Displayable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const Utf8Character character = FirstUtf8Character(text);
    const std::string_view bytes = text.substr(0, character.bytes);
    if (character.code == Utf8Character::kInvalid || IsIn(kUnsafe, character.code)) {
      for (const char c : bytes) shown += absl::StrFormat("\\x%02x", static_cast<uint8_t>(c));
    } else {
      shown += bytes;
    }
    text.remove_prefix(character.bytes);
  }
  return shown;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Utf8Character character = FirstUtf8Character(text);
    text.remove_prefix(character.bytes);
    if (IsIn(kCombining, character.code)) continue;
    width += IsIn(kWide, character.code) ? 2 : 1;
  }
  return width;
}

std::string Percent(double fraction) {
  if (fraction > 0 && fraction < 0.0001) return "< 0.01 %";
  return absl::StrFormat("%.2f %%", fraction * 100);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

}  // namespace weir
