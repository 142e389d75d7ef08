#include "tests/benchmark/payload.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::benchmark {
namespace {

TEST(PayloadTest, KeysAreDistinctAndAnnounceTheSizeOfTheirValue) {
  std::set<std::string> keys;
  for (uint32_t i = 0; i < 5000; ++i) keys.insert(MakeKey(i, 100));
  EXPECT_EQ(keys.size(), 5000u);
  EXPECT_EQ(MakeKey(0, 100), "00000000:0000100");
  EXPECT_EQ(ValueSizeOf(MakeKey(77, 1 << 20)), 1u << 20);
}

TEST(PayloadTest, ForeignKeysAnnounceNothing) {
  EXPECT_EQ(ValueSizeOf(""), std::nullopt);
  EXPECT_EQ(ValueSizeOf("00000000-0000100"), std::nullopt);
  EXPECT_EQ(ValueSizeOf("00000000:00001x0"), std::nullopt);
  EXPECT_EQ(ValueSizeOf("00000000:0000016"), std::nullopt);
  EXPECT_EQ(ValueSizeOf("00000000:9999999"), std::nullopt);
}

TEST(PayloadTest, AValueBelongsToItsKeyAndToNoOther) {
  std::string key = MakeKey(1, 100);
  std::string value = ValueOf(key);
  ASSERT_EQ(value.size(), 100u);
  EXPECT_EQ(value.substr(0, kKeySize), key);
  EXPECT_TRUE(ValueBelongsTo(key, value));
  EXPECT_FALSE(ValueBelongsTo(MakeKey(2, 100), value));
  EXPECT_FALSE(ValueBelongsTo(key, value.substr(1)));
  for (size_t i = 0; i < value.size(); ++i) {
    std::string damaged = value;
    damaged[i] ^= 1;
    EXPECT_FALSE(ValueBelongsTo(key, damaged)) << "byte " << i;
  }
}

TEST(PayloadTest, RequestsAreResp) {
  KeySpace keys(2, 20);
  std::string out;
  keys.AppendGet(0, &out);
  EXPECT_EQ(out, "*2\r\n$3\r\nGET\r\n$16\r\n00000000:0000020\r\n");
  out.clear();
  keys.AppendSet(0, &out);
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$16\r\n00000000:0000020\r\n$20\r\n" +
                     ValueOf("00000000:0000020") + "\r\n");
  out.clear();
  keys.AppendMget(1, 2, &out);
  EXPECT_EQ(out, "*3\r\n$4\r\nMGET\r\n$16\r\n9e3779b1:0000020\r\n$16\r\n00000000:0000020\r\n");
}

}  // namespace
}  // namespace weir::benchmark
