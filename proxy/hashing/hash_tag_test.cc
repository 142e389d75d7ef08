#include "proxy/hashing/hash_tag.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr HashTag kBraces = {.open = '{', .close = '}', .enabled = true};
constexpr HashTag kDollars = {.open = '$', .close = '$', .enabled = true};

TEST(HashTagTest, HashesWhatIsBetweenTheFirstPair) {
  EXPECT_EQ(HashedPart("{user1}:ids", kBraces), "user1");
  EXPECT_EQ(HashedPart("ids:{user1}", kBraces), "user1");
  EXPECT_EQ(HashedPart("{a}{b}", kBraces), "a");
  EXPECT_EQ(HashedPart("a}{b}c", kBraces), "b");
  EXPECT_EQ(HashedPart("{{a}}", kBraces), "{a");
}

TEST(HashTagTest, TakesTwoEqualCharactersAsAPair) {
  EXPECT_EQ(HashedPart("x$user1$y", kDollars), "user1");
  EXPECT_EQ(HashedPart("$$$a$", kDollars), "$$$a$");
  EXPECT_EQ(HashedPart("only$one", kDollars), "only$one");
}

TEST(HashTagTest, HashesTheWholeKeyWhenTheTagIsEmptyOrIncomplete) {
  EXPECT_EQ(HashedPart("plain", kBraces), "plain");
  EXPECT_EQ(HashedPart("{}:ids", kBraces), "{}:ids");
  EXPECT_EQ(HashedPart("{}{b}", kBraces), "{}{b}");
  EXPECT_EQ(HashedPart("{open", kBraces), "{open");
  EXPECT_EQ(HashedPart("close}", kBraces), "close}");
  EXPECT_EQ(HashedPart("}a{", kBraces), "}a{");
  EXPECT_EQ(HashedPart("{", kBraces), "{");
  EXPECT_EQ(HashedPart("", kBraces), "");
}

TEST(HashTagTest, DoesNothingWithoutATag) {
  EXPECT_EQ(HashedPart("{user1}:ids", HashTag()), "{user1}:ids");
}

}  // namespace
}  // namespace weir
