#include "proxy/hashing/md5.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

std::string Hex(const Md5Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (uint8_t byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

struct Vector {
  std::string data;
  std::string_view hex;
};

TEST(Md5Test, GivesTheDigestsOfRfc1321) {
  // RFC 1321, appendix A.5.
  const Vector kVectors[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
       "d174ab98d277d9f5a5611c2c9f419d9f"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"}};
  for (const Vector& vector : kVectors) EXPECT_EQ(Hex(Md5(vector.data)), vector.hex) << vector.data;
}

TEST(Md5Test, PadsCorrectlyAroundTheEndOfABlock) {
  // From md5sum of as many letters x: the length just fits, does not fit, fills whole blocks.
  const Vector kVectors[] = {{std::string(55, 'x'), "04364420e25c512fd958a70738aa8f72"},
                             {std::string(56, 'x'), "668a72d5ba17f08e62dabcafad6db14b"},
                             {std::string(63, 'x'), "7dc2ca208106a2f703567bdff99d8981"},
                             {std::string(64, 'x'), "c1bb4f81d892b2d57947682aeb252456"},
                             {std::string(65, 'x'), "1bc932052302d074bdec39795fe00cf6"},
                             {std::string(119, 'x'), "ab347a5f68c8a443cfcddc633f12c24f"},
                             {std::string(120, 'x'), "fb98667f98096de92620b64f46e1c5b5"},
                             {std::string(128, 'x'), "d69cb61a6ee87200676eb0d4b90edbcb"},
                             {std::string(4096, 'x'), "20439f79e4e9dc95be34b21029221f80"}};
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(Hex(Md5(vector.data)), vector.hex) << vector.data.size();
  }
}

}  // namespace
}  // namespace weir
