#include "proxy/base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(Utf8Test, TellsUtf8FromOtherBytes) {
  for (const char* text : {"", "a", "\x7f", "\xc2\x80", "\xc3\xa4", "\xe2\x82\xac", "\xed\x9f\xbf",
                           "\xf0\x9f\x90\x9f", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  for (const char* text : {"\xff", "\x80", "\xc3", "a\xc3\x28", "\xe2\x82", "\xf0\x9f\x90",
                           "\xc0\x80",             // longer than needed
                           "\xed\xa0\x80",         // a surrogate
                           "\xf4\x90\x80\x80"}) {  // beyond the last one
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(CutUtf8("abc", 3), "abc");
  EXPECT_EQ(CutUtf8("abc", 2), "ab");
  EXPECT_EQ(CutUtf8("a\xe2\x82\xac", 3), "a");
  EXPECT_EQ(CutUtf8("\xe2\x82\xac", 2), "");
}

}  // namespace
}  // namespace weir
