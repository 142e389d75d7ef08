#include "tests/benchmark/payload.h"

#include <cstring>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {

constexpr size_t kStarts = 4096;  // where in the pattern a value may begin
constexpr size_t kIdDigits = 8;

// 64 printable characters, so that a value never looks like protocol and reads well in an error.
std::string MakePattern() {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string pattern(kMaxValueSize + kStarts, '\0');
  uint64_t state = 0x9e3779b97f4a7c15;  // xorshift64 (Marsaglia 2003)
  for (char& c : pattern) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = kAlphabet[state >> 58];
  }
  return pattern;
}

const std::string& Pattern() {
  static const std::string& pattern = *new std::string(MakePattern());
  return pattern;
}

size_t StartOf(std::string_view key) {
  uint64_t id;
  std::memcpy(&id, key.data(), kIdDigits);
  return (id * 0x9e3779b97f4a7c15) >> 52;  // multiplicative hashing, 12 bits: below kStarts
}

void AppendHeader(std::string_view command, size_t words, std::string* out) {
  StrAppend(out, "*", words, "\r\n$", command.size(), "\r\n", command, "\r\n");
}

void AppendKey(std::string_view key, std::string* out) {
  out->append("$16\r\n");
  out->append(key);
  out->append("\r\n");
}

}  // namespace

std::string MakeKey(uint32_t index, size_t value_size) {
  CHECK(value_size >= kMinValueSize && value_size <= kMaxValueSize);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string key(kKeySize, ':');
  uint32_t id = index * 2654435761u;  // odd, so no two indexes share an id
  for (size_t i = 0; i < kIdDigits; ++i) key[i] = kHex[(id >> (28 - 4 * i)) & 15];
  for (size_t i = kKeySize - 1; i > kIdDigits; --i, value_size /= 10) {
    key[i] = static_cast<char>('0' + value_size % 10);
  }
  return key;
}

std::optional<size_t> ValueSizeOf(std::string_view key) {
  if (key.size() != kKeySize || key[kIdDigits] != ':') return std::nullopt;
  size_t size = 0;
  for (char c : key.substr(kIdDigits + 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    size = size * 10 + static_cast<size_t>(c - '0');
  }
  if (size < kMinValueSize || size > kMaxValueSize) return std::nullopt;
  return size;
}

std::string_view FillerOf(std::string_view key, size_t value_size) {
  return std::string_view(Pattern()).substr(StartOf(key), value_size - kKeySize);
}

std::string ValueOf(std::string_view key) {
  std::optional<size_t> size = ValueSizeOf(key);
  CHECK(size.has_value());
  return StrCat(key, FillerOf(key, *size));
}

bool ValueBelongsTo(std::string_view key, std::string_view value) {
  std::optional<size_t> size = ValueSizeOf(key);
  return size == value.size() && value.substr(0, kKeySize) == key &&
         value.substr(kKeySize) == FillerOf(key, *size);
}

KeySpace::KeySpace(uint32_t count, size_t value_size)
    : count_(count), value_size_(value_size), bulk_header_(StrCat("$", value_size, "\r\n")) {
  CHECK(count > 0);
  keys_.reserve(count * kKeySize);
  for (uint32_t i = 0; i < count; ++i) keys_ += MakeKey(i, value_size);
}

void KeySpace::AppendGet(uint32_t index, std::string* out) const {
  out->append("*2\r\n$3\r\nGET\r\n");
  AppendKey(Key(index), out);
}

void KeySpace::AppendSet(uint32_t index, std::string* out) const {
  out->append("*3\r\n$3\r\nSET\r\n");
  AppendKey(Key(index), out);
  out->append(bulk_header_);
  out->append(Key(index));
  out->append(Filler(index));
  out->append("\r\n");
}

void KeySpace::AppendMget(uint32_t first, uint32_t keys, std::string* out) const {
  AppendHeader("MGET", keys + 1, out);
  for (uint32_t i = 0; i < keys; ++i) AppendKey(Key((first + i) % count_), out);
}

}  // namespace weir::benchmark
