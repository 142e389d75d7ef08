#include "controlplane/model/key_sample.h"

namespace weir {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789:.";
constexpr size_t kShortest = 8;
constexpr size_t kLengths = 24;

}  // namespace

uint64_t SampleNumbers::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string_view SampleKeys::Next() {
  key_.resize(kShortest + numbers_.Next() % kLengths);
  uint64_t bits = 0;
  for (size_t i = 0; i < key_.size(); ++i) {
    if (i % 8 == 0) bits = numbers_.Next();
    // 8 bits for 38 characters: uneven by a seventh, as the characters of real keys are and more.
    key_[i] = kAlphabet[(bits & 0xff) % kAlphabet.size()];
    bits >>= 8;
  }
  return key_;
}

}  // namespace weir
