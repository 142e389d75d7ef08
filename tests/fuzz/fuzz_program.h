// FuzzProgram: a fuzzer's input as numbers and pieces that a target reads one after the other. At
// the end there are zeros and empty pieces, so that every input is a program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

// Borrows the input.
class FuzzProgram {
 public:
  explicit FuzzProgram(std::string_view input) : rest_(input) {}
  FuzzProgram(const uint8_t* data, size_t size)
      : FuzzProgram(std::string_view(reinterpret_cast<const char*>(data), size)) {}

  bool done() const { return rest_.empty(); }

  uint8_t Next() {
    if (rest_.empty()) return 0;
    const char byte = rest_.front();
    rest_.remove_prefix(1);
    return static_cast<uint8_t>(byte);
  }

  // A piece with its length before it, in two bytes; what is left when that is shorter.
  std::string_view NextBytes() {
    const size_t high = Next();
    const size_t size = high * 256 + Next();
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  // Up to the next new line, which is left out; what is left when there is none.
  std::string_view NextLine() {
    const size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    return line;
  }

  // All that is left.
  std::string_view Rest() {
    const std::string_view rest = rest_;
    rest_ = {};
    return rest;
  }

 private:
  std::string_view rest_;
};

}  // namespace weir
