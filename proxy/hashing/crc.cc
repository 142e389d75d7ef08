#include "proxy/hashing/crc.h"

#include <array>
#include <cstddef>

#include "proxy/hashing/little_endian.h"

namespace weir {
namespace {

// Table k gives the effect of a byte that is followed by k more bytes of the same step.
template <typename Word, size_t slices>
using Tables = std::array<std::array<Word, 256>, slices>;

constexpr Tables<uint32_t, 8> MakeCrc32Tables() {
  Tables<uint32_t, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Tables<uint16_t, 4> MakeCrc16Tables() {
  Tables<uint16_t, 4> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021u : 0);
    tables[0][byte] = static_cast<uint16_t>(crc);
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = static_cast<uint16_t>((crc << 8) ^ tables[0][crc >> 8]);
    }
  }
  return tables;
}

constexpr Tables<uint32_t, 8> kCrc32 = MakeCrc32Tables();
constexpr Tables<uint16_t, 4> kCrc16 = MakeCrc16Tables();

}  // namespace

uint32_t Crc32(std::string_view data) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
  size_t left = data.size();
  uint32_t crc = 0xffffffff;
  for (; left >= 8; left -= 8, bytes += 8) {
    uint32_t low = LoadLittleEndian32(bytes) ^ crc;
    uint32_t high = LoadLittleEndian32(bytes + 4);
    crc = kCrc32[7][low & 0xff] ^ kCrc32[6][(low >> 8) & 0xff] ^ kCrc32[5][(low >> 16) & 0xff] ^
          kCrc32[4][low >> 24] ^ kCrc32[3][high & 0xff] ^ kCrc32[2][(high >> 8) & 0xff] ^
          kCrc32[1][(high >> 16) & 0xff] ^ kCrc32[0][high >> 24];
  }
  for (; left > 0; --left) crc = (crc >> 8) ^ kCrc32[0][(crc ^ *bytes++) & 0xff];
  return ~crc;
}

uint32_t Crc16WithHistory(std::string_view data) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
  size_t left = data.size();
  uint32_t crc = 0;
  // Only the last two bytes leave a trace in the upper half, so the others may go four at a time.
  for (; left >= 6; left -= 4, bytes += 4) {
    crc = kCrc16[3][bytes[0] ^ (crc >> 8)] ^ kCrc16[2][bytes[1] ^ (crc & 0xff)] ^
          kCrc16[1][bytes[2]] ^ kCrc16[0][bytes[3]];
  }
  for (; left > 0; --left) crc = (crc << 8) ^ kCrc16[0][((crc >> 8) ^ *bytes++) & 0xff];
  return crc;
}

}  // namespace weir
