// The twelve functions of the `hash:` key: bytes of a key → the number that a ring looks up.
//
// Bit for bit those of twemproxy 0.5.0 (hashkit/), quirks included: a change here moves users' keys
// to other shards. The golden vectors are in key_hash_test.cc, the differential run against the
// real binary in tests/conformance/placement_test.cc.
//
// Everything here is a pure function, allocates nothing and may be called from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir {

enum class KeyHash : uint8_t {
  kOneAtATime,
  kMd5,
  kCrc16,   // with the shift history of twemproxy's 32-bit accumulator in the upper half
  kCrc32,   // libmemcached's: 15 bits only, so the default ketama puts every key on one shard
  kCrc32a,  // the standard CRC-32
  kFnv1_64,
  kFnv1a_64,  // twemproxy's default; 32 bits of state, hence weak on keys that differ at the end
  kFnv1_32,
  kFnv1a_32,
  kHsieh,
  kMurmur,
  kJenkins,
};
inline constexpr size_t kKeyHashCount = 12;
inline constexpr KeyHash kDefaultKeyHash = KeyHash::kFnv1a_64;

// Whether bytes from 0x80 on are sign-extended where twemproxy's C says `char`: true of its x86
// builds, false of its arm64 ones. Weir computes the x86 result on every machine unless told
// otherwise. It matters for one_at_a_time, the four fnv's and hsieh, and for non-ASCII keys only.
enum class CharSign : uint8_t { kSigned, kUnsigned };

// A key hash, resolved once and then called for every request.
using KeyHashFunction = uint32_t (*)(std::string_view key);
KeyHashFunction GetKeyHashFunction(KeyHash hash, CharSign sign = CharSign::kSigned);

// The hash of the whole of `key` (for hash tags, see hash_tag.h). The empty key hashes to 0 in all
// of them, as twemproxy's redis pools have it.
uint32_t HashKey(KeyHash hash, std::string_view key, CharSign sign = CharSign::kSigned);

// Spelling of the configuration, e.g. "fnv1a_64"; nothing when no hash has that name.
std::optional<KeyHash> ParseKeyHash(std::string_view name);
std::string_view KeyHashName(KeyHash hash);

// All names, in the order of the enum: for error messages and for tests over every hash.
std::span<const std::string_view, kKeyHashCount> KeyHashNames();

}  // namespace weir
