#include "proxy/base/strings.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(StringsTest, ConcatenatesBothKindsOfViewsAndNumbers) {
  std::string_view view = "view";
  EXPECT_EQ(StrCat(view, " ", 7, " ", std::string("s"), absl::string_view("a")), "view 7 sa");
}

TEST(StringsTest, ParseIntTakesOnlyWholeDecimalNumbersInRange) {
  EXPECT_EQ(ParseInt<int>("42"), 42);
  EXPECT_EQ(ParseInt<int>("-1"), -1);
  EXPECT_EQ(ParseInt<int>(""), std::nullopt);
  EXPECT_EQ(ParseInt<int>("4 "), std::nullopt);
  EXPECT_EQ(ParseInt<int>("+4"), std::nullopt);
  EXPECT_EQ(ParseInt<unsigned char>("256"), std::nullopt);
}

}  // namespace
}  // namespace weir
