// Keys and the values that belong to them: the contract between load generator and responder.
//
// A key is 16 bytes, "<8 hex digits>:<7 decimal digits>": a scrambled number (so that keys spread
// over shards under any hash) and the size of its value. Its value is the key itself followed by a
// slice of a fixed printable pattern whose start depends on the key. So both programs can produce
// and check every byte of a value from the key alone, and a value under a wrong key is noticed at
// the first byte. Pure functions and immutable tables; callable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::benchmark {

inline constexpr size_t kKeySize = 16;
// A key and at least one byte of pattern; the largest leaves the benchmark within a few MiB.
inline constexpr size_t kMinValueSize = kKeySize + 1;
inline constexpr size_t kMaxValueSize = 4 << 20;

// The key number `index` of those whose values have `value_size` bytes.
std::string MakeKey(uint32_t index, size_t value_size);

// The value size that `key` announces, or nothing when it is no key of ours.
std::optional<size_t> ValueSizeOf(std::string_view key);

// What follows the key in its value. `key` must be one of ours; the view lives for ever.
std::string_view FillerOf(std::string_view key, size_t value_size);

// The whole value of `key`, which must be one of ours.
std::string ValueOf(std::string_view key);

// Whether `value` is the one that belongs to `key`; false for keys that are not ours.
bool ValueBelongsTo(std::string_view key, std::string_view value);

// All keys of one value size, made beforehand, and the requests about them. Immutable after
// construction.
class KeySpace {
 public:
  // `count` > 0 keys; kMinValueSize <= value_size <= kMaxValueSize.
  KeySpace(uint32_t count, size_t value_size);

  uint32_t count() const { return count_; }
  size_t value_size() const { return value_size_; }

  std::string_view Key(uint32_t index) const {
    return {keys_.data() + size_t{index} * kKeySize, kKeySize};
  }
  std::string_view Filler(uint32_t index) const { return FillerOf(Key(index), value_size_); }

  // Appends "GET key", "SET key value" or "MGET key key+1 ..." as a RESP request.
  void AppendGet(uint32_t index, std::string* out) const;
  void AppendSet(uint32_t index, std::string* out) const;
  void AppendMget(uint32_t first, uint32_t keys, std::string* out) const;

  // "$<value size>\r\n", which precedes every value in a reply.
  std::string_view bulk_header() const { return bulk_header_; }

 private:
  uint32_t count_;
  size_t value_size_;
  std::string keys_;  // count_ keys, one after the other
  std::string bulk_header_;
};

}  // namespace weir::benchmark
