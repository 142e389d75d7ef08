// The keys by which shares are estimated where they cannot be counted: always the same ones, so
// that the same change has the same plan on every replica.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

inline constexpr size_t kSampleSize = 1'000'000;

// SplitMix64 (Steele, Lea, Flood, 2014): 64 bits a step from a seed, all seeds good.
class SampleNumbers {
 public:
  explicit SampleNumbers(uint64_t seed) : state_(seed) {}

  uint64_t Next();

 private:
  uint64_t state_;
};

// An endless row of keys: 8 to 31 of the lower-case letters, digits, ':' and '.'.
class SampleKeys {
 public:
  explicit SampleKeys(uint64_t seed) : numbers_(seed) {}

  // Valid until the next call.
  std::string_view Next();

 private:
  SampleNumbers numbers_;
  std::string key_;
};

}  // namespace weir
