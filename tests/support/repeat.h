// Repeat: the same text many times, for tests that send much of one thing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

inline std::string Repeat(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace weir
