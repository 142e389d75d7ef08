#include "proxy/hashing/key_hash.h"

#include <gtest/gtest.h>
#include <vector>

#include <random>
#include <set>
#include <string>

namespace weir {
namespace {

// Golden values: recorded from twemproxy 0.5.0 on x86-64; "foo", "a" and others are also
// libmemcached's (twitter/twemproxy src/test_all.c). A change here moves every user's keys.

constexpr std::string_view kKeys[] = {
    "a",  "apple", "user:1000", "{user1}:ids", "\xc3\xa9", "caf\xc3\xa9-\xff\x80", "0123456789abc",
    "foo"};

struct Golden {
  std::string_view name;
  uint32_t hashes[8];  // of kKeys
};
constexpr Golden kGolden[] = {
    {"one_at_a_time",
     {3392050242u, 2297466611u, 3043211087u, 3723461994u, 26298542u, 2044905167u, 3404167024u,
      596015325u}},
    {"md5",
     {3111502092u, 3195025439u, 781738503u, 1164928362u, 2546851174u, 3079465251u, 1910059309u,
      3675831724u}},
    {"crc16",
     {31879u, 3662830516u, 3781445233u, 2579907966u, 15296452u, 1908412100u, 1727141784u,
      205303702u}},
    {"crc32", {26807u, 10542u, 8052u, 21087u, 3588u, 6389u, 20072u, 3187u}},
    {"crc32a",
     {3904355907u, 2838417488u, 2675185635u, 1381969011u, 235179326u, 418757698u, 3462966566u,
      2356372769u}},
    {"fnv1_64",
     {2248259518u, 473199127u, 3550362913u, 2129075147u, 3035330621u, 4086469359u, 219108900u,
      1805727027u}},
    {"fnv1a_64",
     {2248273036u, 1488911807u, 2927313545u, 2860937783u, 3033280513u, 3992598219u, 198359030u,
      4275688823u}},
    {"fnv1_32",
     {84696446u, 67176023u, 2796551329u, 3860633323u, 376872957u, 2474686063u, 1420179460u,
      1083137555u}},
    {"fnv1a_32",
     {3826002220u, 280767167u, 1350311305u, 4139405143u, 1023043777u, 788481227u, 2167846326u,
      2851307223u}},
    {"hsieh",
     {2472816263u, 3738850110u, 3723237737u, 3890664386u, 3203012475u, 1823202848u, 2599415290u,
      1993659431u}},
    {"murmur",
     {1262581116u, 4142305122u, 2384768711u, 602449411u, 2111574343u, 3565435420u, 3258953534u,
      3303027599u}},
    {"jenkins",
     {3768813200u, 1442444624u, 76303748u, 3916357545u, 934048990u, 564976005u, 939081389u,
      2583187353u}},
};

// What an arm64 build of twemproxy makes of the two keys that are not ASCII.
constexpr std::string_view kNonAsciiKeys[] = {kKeys[4], kKeys[5]};
struct GoldenOfArm {
  std::string_view name;
  uint32_t hashes[2];  // of kNonAsciiKeys
};
constexpr GoldenOfArm kGoldenOfArm[] = {
    {"one_at_a_time", {2928017647u, 2371386634u}}, {"fnv1_64", {3035243581u, 3297711855u}},
    {"fnv1a_64", {3071811073u, 1444525259u}},      {"fnv1_32", {3463954941u, 3620311663u}},
    {"fnv1a_32", {513665217u, 1243605195u}},
};

KeyHash Parsed(std::string_view name) { return ParseKeyHash(name).value(); }

TEST(KeyHashTest, GivesTheGoldenValuesOfX86) {
  ASSERT_EQ(std::size(kGolden), kKeyHashCount);
  for (const Golden& golden : kGolden) {
    for (size_t i = 0; i < std::size(kKeys); ++i) {
      EXPECT_EQ(HashKey(Parsed(golden.name), kKeys[i]), golden.hashes[i])
          << golden.name << " of " << kKeys[i];
    }
  }
}

TEST(KeyHashTest, GivesTheGoldenValuesOfArmWhenCharIsUnsigned) {
  for (const GoldenOfArm& golden : kGoldenOfArm) {
    for (size_t i = 0; i < std::size(kNonAsciiKeys); ++i) {
      EXPECT_EQ(HashKey(Parsed(golden.name), kNonAsciiKeys[i], CharSign::kUnsigned),
                golden.hashes[i])
          << golden.name << " of " << kNonAsciiKeys[i];
    }
  }
}

TEST(KeyHashTest, SignOfCharMattersForBytesBeyondAsciiOnly) {
  for (const Golden& golden : kGolden) {
    for (size_t i = 0; i < std::size(kKeys); ++i) {
      if (kKeys[i] == kNonAsciiKeys[0] || kKeys[i] == kNonAsciiKeys[1]) continue;
      EXPECT_EQ(HashKey(Parsed(golden.name), kKeys[i], CharSign::kUnsigned), golden.hashes[i])
          << golden.name << " of " << kKeys[i];
    }
  }
  // hsieh sign-extends nothing but the last of three bytes left over.
  EXPECT_EQ(HashKey(KeyHash::kHsieh, "\xff\xff\xff\xff", CharSign::kSigned),
            HashKey(KeyHash::kHsieh, "\xff\xff\xff\xff", CharSign::kUnsigned));
  EXPECT_NE(HashKey(KeyHash::kHsieh, "ab\xff", CharSign::kSigned),
            HashKey(KeyHash::kHsieh, "ab\xff", CharSign::kUnsigned));
}

TEST(KeyHashTest, TheEmptyKeyHashesToZero) {
  for (std::string_view name : KeyHashNames()) EXPECT_EQ(HashKey(Parsed(name), ""), 0u) << name;
}

TEST(KeyHashTest, NeverReadsOutsideTheKey) {
  // Keys of exactly their size on the heap, at every length and alignment: for the address
  // sanitizer. Without it: what lies around a key does not change its hash.
  std::mt19937 random(1);
  for (size_t length = 0; length < 70; ++length) {
    std::string key;
    for (size_t i = 0; i < length; ++i) key += static_cast<char>(random());
    for (size_t offset = 0; offset < 4; ++offset) {
      std::vector<char> exact(offset, '\x55');
      exact.insert(exact.end(), key.begin(), key.end());
      exact.shrink_to_fit();
      std::string padded = std::string(offset + 1, '\xaa') + key + "\xaa\xaa\xaa\xaa";
      for (std::string_view name : KeyHashNames()) {
        EXPECT_EQ(HashKey(Parsed(name), {exact.data() + offset, length}),
                  HashKey(Parsed(name), std::string_view(padded).substr(offset + 1, length)))
            << name << " of " << length << " bytes";
      }
    }
  }
}

TEST(KeyHashTest, Crc32HasFifteenBits) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(HashKey(KeyHash::kCrc32, std::to_string(i)), 1u << 15);
  }
}

TEST(KeyHashTest, NamesAreThoseOfTheConfiguration) {
  std::set<std::string_view> names(KeyHashNames().begin(), KeyHashNames().end());
  EXPECT_EQ(names.size(), kKeyHashCount);
  for (std::string_view name : names) EXPECT_EQ(KeyHashName(Parsed(name)), name);
  EXPECT_EQ(KeyHashName(kDefaultKeyHash), "fnv1a_64");
  EXPECT_EQ(ParseKeyHash("FNV1A_64"), std::nullopt);
  EXPECT_EQ(ParseKeyHash(""), std::nullopt);
}

TEST(KeyHashTest, FunctionsAndValuesAgree) {
  for (std::string_view name : KeyHashNames()) {
    for (CharSign sign : {CharSign::kSigned, CharSign::kUnsigned}) {
      KeyHashFunction function = GetKeyHashFunction(Parsed(name), sign);
      EXPECT_EQ(function("\xe9t\xe9"), HashKey(Parsed(name), "\xe9t\xe9", sign)) << name;
    }
  }
}

}  // namespace
}  // namespace weir
