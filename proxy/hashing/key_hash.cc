#include "proxy/hashing/key_hash.h"

#include <algorithm>
#include <bit>

#include "proxy/hashing/crc.h"
#include "proxy/hashing/little_endian.h"
#include "proxy/hashing/md5.h"

// Each function states where its algorithm comes from. `Char` is signed char or unsigned char: the
// type twemproxy's `char` has on the machine to imitate (CharSign).

namespace weir {
namespace {

const uint8_t* BytesOf(std::string_view key) {
  return reinterpret_cast<const uint8_t*>(key.data());
}

template <typename Char>
uint32_t Extend(char c) {
  return static_cast<uint32_t>(static_cast<Char>(c));
}

// Bob Jenkins, "A hash function for hash table lookup", Dr. Dobb's Journal, September 1997.
template <typename Char>
uint32_t OneAtATime(std::string_view key) {
  uint32_t hash = 0;
  for (char c : key) {
    hash += Extend<Char>(c);
    hash += hash << 10;
    hash ^= hash >> 6;
  }
  hash += hash << 3;
  hash ^= hash >> 11;
  hash += hash << 15;
  return hash;
}

uint32_t Md5Prefix(std::string_view key) { return LoadLittleEndian32(Md5(key).data()); }

uint32_t Crc32Libmemcached(std::string_view key) { return (Crc32(key) >> 16) & 0x7fff; }

// Fowler, Noll and Vo (isthe.com/chongo/tech/comp/fnv). The low half of a 64-bit FNV-1 depends on
// nothing but the low halves of state and prime, so 32 bits of state serve for fnv1_64 as well.
constexpr uint32_t kFnv32Basis = 2166136261;
constexpr uint32_t kFnv32Prime = 16777619;
constexpr uint32_t kFnv64LowBasis = 0x84222325;
constexpr uint32_t kFnv64LowPrime = 0x1b3;

template <typename Char, uint32_t basis, uint32_t prime>
uint32_t Fnv1(std::string_view key) {
  uint32_t hash = basis;
  for (char c : key) hash = (hash * prime) ^ Extend<Char>(c);
  return hash;
}

template <typename Char, uint32_t basis, uint32_t prime>
uint32_t Fnv1a(std::string_view key) {
  uint32_t hash = basis;
  for (char c : key) hash = (hash ^ Extend<Char>(c)) * prime;
  return hash;
}

// Paul Hsieh, "SuperFastHash" (azillionmonkeys.com/qed/hash.html), with libmemcached's start at 0.
template <typename Char>
uint32_t Hsieh(std::string_view key) {
  const uint8_t* bytes = BytesOf(key);
  uint32_t hash = 0;
  for (size_t words = key.size() / 4; words > 0; --words, bytes += 4) {
    hash += LoadLittleEndian16(bytes);
    hash = (hash << 16) ^ (LoadLittleEndian16(bytes + 2) << 11) ^ hash;
    hash += hash >> 11;
  }
  switch (key.size() % 4) {
    case 3:
      hash += LoadLittleEndian16(bytes);
      hash ^= hash << 16;
      hash ^= Extend<Char>(static_cast<char>(bytes[2])) << 18;
      hash += hash >> 11;
      break;
    case 2:
      hash += LoadLittleEndian16(bytes);
      hash ^= hash << 11;
      hash += hash >> 17;
      break;
    case 1:
      hash += bytes[0];
      hash ^= hash << 10;
      hash += hash >> 1;
      break;
    default:
      break;
  }
  hash ^= hash << 3;
  hash += hash >> 5;
  hash ^= hash << 4;
  hash += hash >> 17;
  hash ^= hash << 25;
  hash += hash >> 6;
  return hash;
}

// Austin Appleby, MurmurHash2, 32 bits, with libmemcached's seed.
uint32_t Murmur(std::string_view key) {
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  const uint8_t* bytes = BytesOf(key);
  uint32_t length = static_cast<uint32_t>(key.size());
  uint32_t hash = (0xdeadbeef * length) ^ length;
  size_t left = key.size();
  for (; left >= 4; left -= 4, bytes += 4) {
    uint32_t word = LoadLittleEndian32(bytes) * kMultiplier;
    word ^= word >> 24;
    hash = (hash * kMultiplier) ^ (word * kMultiplier);
  }
  if (left > 0) hash = (hash ^ LoadLittleEndianPartial(bytes, left)) * kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

// Bob Jenkins, lookup3.c, May 2006: hashlittle() with initval 13.
void Mix(uint32_t& a, uint32_t& b, uint32_t& c) {
  a = (a - c) ^ std::rotl(c, 4);
  c += b;
  b = (b - a) ^ std::rotl(a, 6);
  a += c;
  c = (c - b) ^ std::rotl(b, 8);
  b += a;
  a = (a - c) ^ std::rotl(c, 16);
  c += b;
  b = (b - a) ^ std::rotl(a, 19);
  a += c;
  c = (c - b) ^ std::rotl(b, 4);
  b += a;
}

uint32_t Jenkins(std::string_view key) {
  const uint8_t* bytes = BytesOf(key);
  size_t left = key.size();
  uint32_t a = 0xdeadbeef + static_cast<uint32_t>(key.size()) + 13;
  uint32_t b = a;
  uint32_t c = a;
  for (; left > 12; left -= 12, bytes += 12) {
    a += LoadLittleEndian32(bytes);
    b += LoadLittleEndian32(bytes + 4);
    c += LoadLittleEndian32(bytes + 8);
    Mix(a, b, c);
  }
  a += LoadLittleEndianPartial(bytes, left);
  if (left > 4) b += LoadLittleEndianPartial(bytes + 4, left - 4);
  if (left > 8) c += LoadLittleEndianPartial(bytes + 8, left - 8);
  c = (c ^ b) - std::rotl(b, 14);
  a = (a ^ c) - std::rotl(c, 11);
  b = (b ^ a) - std::rotl(a, 25);
  c = (c ^ b) - std::rotl(b, 16);
  a = (a ^ c) - std::rotl(c, 4);
  b = (b ^ a) - std::rotl(a, 14);
  c = (c ^ b) - std::rotl(b, 24);
  return c;
}

template <KeyHashFunction function>
uint32_t ZeroIfEmpty(std::string_view key) {
  return key.empty() ? 0 : function(key);
}

struct Functions {
  KeyHashFunction of_signed_char;
  KeyHashFunction of_unsigned_char;
};

template <KeyHashFunction of_signed_char, KeyHashFunction of_unsigned_char = of_signed_char>
constexpr Functions kFunctions = {ZeroIfEmpty<of_signed_char>, ZeroIfEmpty<of_unsigned_char>};

using S = signed char;
using U = unsigned char;

// Both tables in the order of the enum.
constexpr Functions kTable[kKeyHashCount] = {
    kFunctions<OneAtATime<S>, OneAtATime<U>>,
    kFunctions<Md5Prefix>,
    kFunctions<Crc16WithHistory>,
    kFunctions<Crc32Libmemcached>,
    kFunctions<Crc32>,
    kFunctions<Fnv1<S, kFnv64LowBasis, kFnv64LowPrime>, Fnv1<U, kFnv64LowBasis, kFnv64LowPrime>>,
    kFunctions<Fnv1a<S, kFnv64LowBasis, kFnv64LowPrime>, Fnv1a<U, kFnv64LowBasis, kFnv64LowPrime>>,
    kFunctions<Fnv1<S, kFnv32Basis, kFnv32Prime>, Fnv1<U, kFnv32Basis, kFnv32Prime>>,
    kFunctions<Fnv1a<S, kFnv32Basis, kFnv32Prime>, Fnv1a<U, kFnv32Basis, kFnv32Prime>>,
    kFunctions<Hsieh<S>, Hsieh<U>>,
    kFunctions<Murmur>,
    kFunctions<Jenkins>,
};
constexpr std::array<std::string_view, kKeyHashCount> kNames = {
    "one_at_a_time", "md5",     "crc16",    "crc32", "crc32a", "fnv1_64",
    "fnv1a_64",      "fnv1_32", "fnv1a_32", "hsieh", "murmur", "jenkins"};

}  // namespace

KeyHashFunction GetKeyHashFunction(KeyHash hash, CharSign sign) {
  const Functions& functions = kTable[static_cast<size_t>(hash)];
  return sign == CharSign::kSigned ? functions.of_signed_char : functions.of_unsigned_char;
}

uint32_t HashKey(KeyHash hash, std::string_view key, CharSign sign) {
  return GetKeyHashFunction(hash, sign)(key);
}

std::optional<KeyHash> ParseKeyHash(std::string_view name) {
  auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<KeyHash>(found - kNames.begin());
}

std::string_view KeyHashName(KeyHash hash) { return kNames[static_cast<size_t>(hash)]; }

std::span<const std::string_view, kKeyHashCount> KeyHashNames() { return kNames; }

}  // namespace weir
