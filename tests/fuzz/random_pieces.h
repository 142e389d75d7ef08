// Cuts a fuzzer's input into pieces, the same ones whenever the input is the same, so that a corpus
// file is nothing but the bytes of the protocol and a crash can be replayed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace weir {

class RandomPieces {
 public:
  // `round` chooses among the ways to cut.
  RandomPieces(std::string_view input, uint32_t round) : rest_(input), state_(2166136261u ^ round) {
    for (char c : input) state_ = (state_ ^ static_cast<unsigned char>(c)) * 16777619u;
  }

  bool done() const { return rest_.empty(); }

  // The next piece: from one byte to 128, short ones more often. REQUIRES: !done().
  std::string_view Next() {
    const uint32_t most = 1u << (Random() % 8);
    const size_t size = std::min<size_t>(rest_.size(), 1 + Random() % most);
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }

 private:
  uint32_t Random() {  // xorshift32, G. Marsaglia 2003
    if (state_ == 0) state_ = 1;
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  std::string_view rest_;
  uint32_t state_;
};

}  // namespace weir
