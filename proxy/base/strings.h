// String helpers for std::string_view.
//
// Debian builds Abseil with its own absl::string_view, to which std::string_view does not convert.
// Weir's code says std::string_view everywhere; these are the few places where the two meet.
// Pure functions, callable from any thread.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace weir {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view FromAbsl(absl::string_view text) { return {text.data(), text.size()}; }

namespace strings_internal {
template <typename T>
decltype(auto) Piece(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view> &&
                !std::is_convertible_v<const T&, absl::string_view>) {
    return ToAbsl(value);
  } else {
    return (value);
  }
}
}  // namespace strings_internal

// Concatenates strings, characters' codes and numbers, as absl::StrCat does.
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  return absl::StrCat(strings_internal::Piece(parts)...);
}

template <typename... Parts>
void StrAppend(std::string* to, const Parts&... parts) {
  absl::StrAppend(to, strings_internal::Piece(parts)...);
}

// Errors by kind, with the message concatenated from `parts`.
template <typename... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(StrCat(parts...));
}
template <typename... Parts>
absl::Status Unavailable(const Parts&... parts) {
  return absl::UnavailableError(StrCat(parts...));
}
template <typename... Parts>
absl::Status Internal(const Parts&... parts) {
  return absl::InternalError(StrCat(parts...));
}

// The whole of `text` as a decimal number, or nothing: no spaces, no plus sign, no overflow.
template <typename Int>
std::optional<Int> ParseInt(std::string_view text) {
  Int value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  auto [stopped, error] = std::from_chars(begin, end, value);
  if (text.empty() || error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

}  // namespace weir
