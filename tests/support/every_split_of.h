// All ways in which a short byte string can arrive: style.md, "test every split of the bytes".
//
//   for (const Chunks& chunks : EverySplitOf("*1\r\n$4\r\nPING\r\n")) { feed chunks in order… }
//
// Chunks are views into the input, which must outlive them. The number of splits grows with the
// square of the input's length: inputs of up to a few hundred bytes are meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

using Chunks = std::vector<std::string_view>;

// The whole input; one byte at a time; cut at every one position; and at every two positions.
inline std::vector<Chunks> EverySplitOf(std::string_view input) {
  std::vector<Chunks> splits = {{input}};
  Chunks bytes;
  for (size_t i = 0; i < input.size(); ++i) bytes.push_back(input.substr(i, 1));
  splits.push_back(bytes);
  for (size_t first = 1; first < input.size(); ++first) {
    splits.push_back({input.substr(0, first), input.substr(first)});
    for (size_t second = first + 1; second < input.size(); ++second) {
      splits.push_back(
          {input.substr(0, first), input.substr(first, second - first), input.substr(second)});
    }
  }
  return splits;
}

// "[*1\r\n][$4…]": for the messages of failed tests.
inline std::string Describe(const Chunks& chunks) {
  std::string text;
  for (std::string_view chunk : chunks) {
    text += '[';
    for (char c : chunk) {
      if (c == '\r') {
        text += "\\r";
      } else if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += ']';
  }
  return text;
}

}  // namespace weir
