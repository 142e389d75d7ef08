#include "proxy/downstream/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(GlobTest, PlainTextMatchesItselfInAnyCase) {
  EXPECT_TRUE(MatchesGlob("get", "get"));
  EXPECT_TRUE(MatchesGlob("GeT", "gEt"));
  EXPECT_FALSE(MatchesGlob("get", "getx"));
  EXPECT_FALSE(MatchesGlob("getx", "get"));
  EXPECT_TRUE(MatchesGlob("", ""));
  EXPECT_FALSE(MatchesGlob("", "x"));
  EXPECT_FALSE(MatchesGlob("x", ""));
}

TEST(GlobTest, AStarMatchesAnyRunOfCharacters) {
  EXPECT_TRUE(MatchesGlob("*", ""));
  EXPECT_TRUE(MatchesGlob("**", "abc"));
  EXPECT_TRUE(MatchesGlob("a*c", "ac"));
  EXPECT_TRUE(MatchesGlob("a*c", "abcbc"));
  EXPECT_FALSE(MatchesGlob("a*c", "abcb"));
  EXPECT_TRUE(MatchesGlob("*b*d*", "abcde"));
  EXPECT_FALSE(MatchesGlob("*d*b*", "abcde"));
  EXPECT_FALSE(MatchesGlob("*?", ""));
}

TEST(GlobTest, AQuestionMarkMatchesOneCharacter) {
  EXPECT_TRUE(MatchesGlob("a?c", "abc"));
  EXPECT_FALSE(MatchesGlob("a?c", "ac"));
  EXPECT_FALSE(MatchesGlob("abc?", "abc"));
}

TEST(GlobTest, AClassMatchesOneOfItsCharacters) {
  EXPECT_TRUE(MatchesGlob("[abc]x", "bx"));
  EXPECT_FALSE(MatchesGlob("[abc]x", "dx"));
  EXPECT_TRUE(MatchesGlob("[^abc]x", "dx"));
  EXPECT_FALSE(MatchesGlob("[^abc]x", "Ax"));
  EXPECT_TRUE(MatchesGlob("[a-c]", "B"));
  EXPECT_TRUE(MatchesGlob("[c-a]", "b"));
  EXPECT_FALSE(MatchesGlob("[a-c]", "d"));
  EXPECT_TRUE(MatchesGlob("[\\]]", "]"));
  EXPECT_FALSE(MatchesGlob("[]", "a"));
  EXPECT_TRUE(MatchesGlob("[^]", "a"));
  EXPECT_TRUE(MatchesGlob("[ab", "a")) << "an open class ends with the pattern";
}

TEST(GlobTest, ABackslashTakesTheMeaningFromTheNextCharacter) {
  EXPECT_TRUE(MatchesGlob("a\\*", "a*"));
  EXPECT_FALSE(MatchesGlob("a\\*", "ab"));
  EXPECT_TRUE(MatchesGlob("\\?", "?"));
  EXPECT_TRUE(MatchesGlob("a\\", "a\\"));
}

TEST(GlobTest, ManyStarsEndInReasonableTime) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(MatchesGlob(pattern + "b", std::string(5000, 'a')));
  EXPECT_TRUE(MatchesGlob(pattern, std::string(5000, 'a')));
}

}  // namespace
}  // namespace weir
