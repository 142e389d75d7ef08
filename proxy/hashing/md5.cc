#include "proxy/hashing/md5.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "proxy/hashing/little_endian.h"

namespace weir {
namespace {

constexpr size_t kBlockBytes = 64;
constexpr size_t kLengthBytes = 8;

// floor(2^32 × |sin(i + 1)|), RFC 1321 section 3.4.
constexpr uint32_t kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

struct State {
  uint32_t a = 0x67452301;
  uint32_t b = 0xefcdab89;
  uint32_t c = 0x98badcfe;
  uint32_t d = 0x10325476;
};

// One round: sixteen steps, four at a time so that the four words keep their names. `mix` is the
// round's function; step i of the round takes word (first + i × stride) mod 16 of the block.
template <int first, int stride, int s0, int s1, int s2, int s3, typename Mix>
inline void Round(State& s, const uint32_t* words, const uint32_t* sines, Mix mix) {
  auto step = [&](uint32_t a, uint32_t b, uint32_t c, uint32_t d, int i, int shift) {
    uint32_t sum = a + mix(b, c, d) + words[(first + i * stride) % 16] + sines[i];
    return b + std::rotl(sum, shift);
  };
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    s.a = step(s.a, s.b, s.c, s.d, i, s0);
    s.d = step(s.d, s.a, s.b, s.c, i + 1, s1);
    s.c = step(s.c, s.d, s.a, s.b, i + 2, s2);
    s.b = step(s.b, s.c, s.d, s.a, i + 3, s3);
  }
}

void Absorb(State& state, const uint8_t* block) {
  uint32_t words[16];
  for (int i = 0; i < 16; ++i) words[i] = LoadLittleEndian32(block + 4 * i);
  State s = state;
  Round<0, 1, 7, 12, 17, 22>(s, words, kSines,
                             [](uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); });
  Round<1, 5, 5, 9, 14, 20>(s, words, kSines + 16,
                            [](uint32_t x, uint32_t y, uint32_t z) { return y ^ (z & (x ^ y)); });
  Round<5, 3, 4, 11, 16, 23>(s, words, kSines + 32,
                             [](uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; });
  Round<0, 7, 6, 10, 15, 21>(s, words, kSines + 48,
                             [](uint32_t x, uint32_t y, uint32_t z) { return y ^ (x | ~z); });
  state.a += s.a;
  state.b += s.b;
  state.c += s.c;
  state.d += s.d;
}

}  // namespace

Md5Digest Md5(std::string_view data) {
  State state;
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
  size_t left = data.size();
  for (; left >= kBlockBytes; left -= kBlockBytes, bytes += kBlockBytes) Absorb(state, bytes);

  // The rest, a 1 bit, zeros, and the length in bits: one block, or two when it does not fit.
  uint8_t tail[2 * kBlockBytes] = {};
  if (left > 0) std::memcpy(tail, bytes, left);
  tail[left] = 0x80;
  size_t tail_bytes = left + 1 + kLengthBytes <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  uint64_t bits = static_cast<uint64_t>(data.size()) * 8;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    tail[tail_bytes - kLengthBytes + i] = static_cast<uint8_t>(bits >> (8 * i));
  }
  for (size_t at = 0; at < tail_bytes; at += kBlockBytes) Absorb(state, tail + at);

  Md5Digest digest;
  const uint32_t words[4] = {state.a, state.b, state.c, state.d};
  for (size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<uint8_t>(words[i / 4] >> (8 * (i % 4)));
  }
  return digest;
}

}  // namespace weir
