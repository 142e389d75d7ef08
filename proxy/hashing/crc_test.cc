#include "proxy/hashing/crc.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

std::string Bytes(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += static_cast<char>(i * 167 + 13);
  return bytes;
}

// Bit by bit, from the polynomial.
uint32_t SlowCrc32(std::string_view data) {
  uint32_t crc = 0xffffffff;
  for (char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

// Bit by bit, with an accumulator of 32 bits that is never masked.
uint32_t SlowCrc16WithHistory(std::string_view data) {
  uint32_t crc = 0;
  for (char c : data) {
    uint32_t step = ((crc >> 8) ^ static_cast<uint8_t>(c)) & 0xff;
    step <<= 8;
    for (int bit = 0; bit < 8; ++bit) step = (step << 1) ^ ((step & 0x8000) != 0 ? 0x1021u : 0);
    crc = (crc << 8) ^ (step & 0xffff);
  }
  return crc;
}

TEST(CrcTest, GivesTheCheckValuesOfTheCatalogue) {
  // The CRC of "123456789" (reveng.sourceforge.io/crc-catalogue: CRC-32/ISO-HDLC, CRC-16/XMODEM).
  EXPECT_EQ(Crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(Crc16WithHistory("123456789") & 0xffff, 0x31c3u);
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc16WithHistory(""), 0u);
}

TEST(CrcTest, SlicesGiveTheSameAsSingleBitsAtEveryLength) {
  for (size_t length = 0; length < 100; ++length) {
    std::string data = Bytes(length);
    EXPECT_EQ(Crc32(data), SlowCrc32(data)) << length;
    EXPECT_EQ(Crc16WithHistory(data), SlowCrc16WithHistory(data)) << length;
  }
}

}  // namespace
}  // namespace weir
