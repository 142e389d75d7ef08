// Little-endian words from bytes at any address, the same on every machine.
// Pure functions, callable from any thread; compilers turn each into one load where the machine
// allows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

inline uint32_t LoadLittleEndian16(const uint8_t* bytes) {
  return bytes[0] | static_cast<uint32_t>(bytes[1]) << 8;
}

inline uint32_t LoadLittleEndian32(const uint8_t* bytes) {
  return bytes[0] | static_cast<uint32_t>(bytes[1]) << 8 | static_cast<uint32_t>(bytes[2]) << 16 |
         static_cast<uint32_t>(bytes[3]) << 24;
}

// The first `count` bytes (at most four are read) as the low end of a word whose other bytes are 0.
inline uint32_t LoadLittleEndianPartial(const uint8_t* bytes, size_t count) {
  if (count >= 4) return LoadLittleEndian32(bytes);
  if (count == 0) return 0;
  // First, middle and last byte; for 1 and 2 bytes some of them are the same byte at the same
  // place.
  size_t middle = count / 2;
  size_t last = count - 1;
  return bytes[0] | static_cast<uint32_t>(bytes[middle]) << (8 * middle) |
         static_cast<uint32_t>(bytes[last]) << (8 * last);
}

}  // namespace weir
