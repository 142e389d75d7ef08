#include "proxy/codec/inline_args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAreArray;

struct Line {
  std::string line;
  std::vector<std::string> args;
};

// What redis 7.0.15 makes of these lines, asked as `RPUSH list <line>`, `LRANGE list 0 -1`.
const Line kLines[] = {
    {"a b c", {"a", "b", "c"}},
    {"  a\t\tb  ", {"a", "b"}},
    {"a\vb", {"a\vb"}},
    {"a \v\fb", {"a", "b"}},
    {"a\rb", {"a", "b"}},
    {R"("a b")", {"a b"}},
    {R"('a b')", {"a b"}},
    {R"("")", {""}},
    {R"('' "")", {"", ""}},
    {R"(a"b c")", {"ab c"}},
    {R"(a'b c')", {"ab c"}},
    {R"("\n\r\t\b\a")", {"\n\r\t\b\a"}},
    {R"("\x41\x7a\x7A\xff")", {"Azz\xff"}},
    {R"("\x4")", {"x4"}},
    {R"("\xzz")", {"xzz"}},
    {R"("\"\\\q\'")", {"\"\\q'"}},
    {R"('\n\x41')", {R"(\n\x41)"}},
    {R"('it\'s')", {"it's"}},
    {R"("it's")", {"it's"}},
    {R"('say "hi"')", {R"(say "hi")"}},
    {R"(a\nb)", {R"(a\nb)"}},
    {R"(\"a")", {R"(\a)"}},
    {"\"a\"\v\"b\"", {"a", "b"}},
    {"\xc3\xa9 \xff", {"\xc3\xa9", "\xff"}},
};

TEST(InlineArgsTest, SplitsLinesAsRedisDoes) {
  std::string scratch;
  for (const Line& line : kLines) {
    SCOPED_TRACE(line.line);
    std::vector<std::string_view> args;
    EXPECT_EQ(SplitInlineArgs(line.line, args, scratch), InlineSplit::kOk);
    EXPECT_THAT(args, ElementsAreArray(line.args));
  }
}

TEST(InlineArgsTest, RefusesUnbalancedQuotesAsRedisDoes) {
  std::string scratch;
  for (const char* line : {R"(")", R"(')", R"(a "b)", R"(a 'b)", R"("a"b)", R"('a'b)", R"('a'"b")",
                           R"("a\")", R"('a\')", R"('a\\')", R"("a\x4)", R"("\)"}) {
    SCOPED_TRACE(line);
    std::vector<std::string_view> args;
    EXPECT_EQ(SplitInlineArgs(line, args, scratch), InlineSplit::kUnbalancedQuotes);
  }
}

TEST(InlineArgsTest, RefusesNulBytes) {
  std::string scratch;
  std::vector<std::string_view> args;
  EXPECT_EQ(SplitInlineArgs("a\0b"s, args, scratch), InlineSplit::kNulByte);
}

TEST(InlineArgsTest, QuotedArgumentsStayValidWhenManyFollow) {
  std::string line;
  for (int i = 0; i < 1000; ++i) line += "'an argument' plain ";
  std::string scratch;
  std::vector<std::string_view> args;
  ASSERT_EQ(SplitInlineArgs(line, args, scratch), InlineSplit::kOk);
  ASSERT_EQ(args.size(), 2000u);
  for (size_t i = 0; i < args.size(); i += 2) {
    EXPECT_EQ(args[i], "an argument");
    EXPECT_EQ(args[i + 1], "plain");
  }
}

}  // namespace
}  // namespace weir
