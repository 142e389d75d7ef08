#include "proxy/codec/resp_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> ElementsOf(std::string_view frame) {
  std::vector<std::string> all;
  RespElements elements(frame);
  while (std::optional<std::string_view> element = elements.Next()) all.emplace_back(*element);
  return all;
}

TEST(RespReaderTest, ReadsIntegers) {
  EXPECT_EQ(ReadInteger(":42\r\n"), 42);
  EXPECT_EQ(ReadInteger(":-9223372036854775808\r\n"), INT64_MIN);
  EXPECT_EQ(ReadInteger("|1\r\n+ttl\r\n:3\r\n:42\r\n"), 42);
  for (const char* frame : {"", ":", ":\r\n", ":1x\r\n", ":99999999999999999999\r\n", "+1\r\n",
                            "$1\r\n1\r\n", "_\r\n", "|1\r\n+ttl\r\n"}) {
    EXPECT_EQ(ReadInteger(frame), std::nullopt) << frame;
  }
}

TEST(RespReaderTest, ReadsStrings) {
  EXPECT_EQ(ReadString("$4\r\na\r\nb\r\n"), "a\r\nb");
  EXPECT_EQ(ReadString("$0\r\n\r\n"), "");
  EXPECT_EQ(ReadString("+OK\r\n"), "OK");
  EXPECT_EQ(ReadString("=8\r\ntxt:text\r\n"), "text");
  EXPECT_EQ(ReadString("!3\r\nERR\r\n"), "ERR");
  for (const char* frame :
       {"$-1\r\n", "$9\r\na\r\n", "=3\r\ntxt\r\n", ":1\r\n", "*0\r\n", "$\r\n"}) {
    EXPECT_EQ(ReadString(frame), std::nullopt) << frame;
  }
}

TEST(RespReaderTest, TellsErrorsFromOtherReplies) {
  EXPECT_TRUE(IsError("-ERR no\r\n"));
  EXPECT_TRUE(IsError("!6\r\nERR no\r\n"));
  EXPECT_FALSE(IsError("+-ERR\r\n"));
  EXPECT_FALSE(IsError(""));
  EXPECT_EQ(ErrorText("-ERR no\r\n"), "ERR no");
  EXPECT_EQ(ErrorText("!6\r\nERR no\r\n"), "ERR no");
  EXPECT_EQ(ErrorText("+OK\r\n"), "");
}

TEST(RespReaderTest, TellsSimpleStringsAndNulls) {
  EXPECT_TRUE(IsSimple("+OK\r\n", "OK"));
  EXPECT_FALSE(IsSimple("+OKAY\r\n", "OK"));
  EXPECT_FALSE(IsSimple("$2\r\nOK\r\n", "OK"));
  for (const char* null : {"$-1\r\n", "*-1\r\n", "_\r\n", "|1\r\n:1\r\n:1\r\n_\r\n"}) {
    EXPECT_TRUE(IsNull(null)) << null;
  }
  EXPECT_FALSE(IsNull("$0\r\n\r\n"));
  EXPECT_FALSE(IsNull("*0\r\n"));
}

TEST(RespReaderTest, IteratesOverTheRawElementsOfEveryAggregate) {
  EXPECT_THAT(ElementsOf("*3\r\n$1\r\na\r\n$-1\r\n*2\r\n:1\r\n*0\r\n"),
              ElementsAre("$1\r\na\r\n", "$-1\r\n", "*2\r\n:1\r\n*0\r\n"));
  EXPECT_THAT(ElementsOf("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n_\r\n"),
              ElementsAre("+a\r\n", ":1\r\n", "+b\r\n", "~1\r\n_\r\n"));
  EXPECT_THAT(ElementsOf("|1\r\n+x\r\n+y\r\n~2\r\n|1\r\n+x\r\n+y\r\n:1\r\n:2\r\n"),
              ElementsAre("|1\r\n+x\r\n+y\r\n:1\r\n", ":2\r\n"));
  EXPECT_THAT(ElementsOf(">1\r\n+invalidate\r\n"), ElementsAre("+invalidate\r\n"));
  EXPECT_THAT(ElementsOf("*0\r\n"), IsEmpty());
}

TEST(RespReaderTest, CountsElements) {
  EXPECT_EQ(RespElements("*2\r\n:1\r\n:2\r\n").count(), 2);
  EXPECT_EQ(RespElements("%1\r\n:1\r\n:2\r\n").count(), 2);
  EXPECT_EQ(RespElements("*0\r\n").count(), 0);
  for (const char* frame : {"*-1\r\n", "_\r\n", "$1\r\na\r\n", ":1\r\n", "", "*x\r\n"}) {
    EXPECT_FALSE(RespElements(frame).is_aggregate()) << frame;
  }
}

TEST(RespReaderTest, ACutOffAggregateEndsEarlyAndSaysSo) {
  RespElements elements("*3\r\n:1\r\n$5\r\nhel");
  EXPECT_EQ(elements.Next(), ":1\r\n");
  EXPECT_EQ(elements.Next(), std::nullopt);
  EXPECT_EQ(elements.remaining(), 2);
  EXPECT_EQ(elements.Next(), std::nullopt);
}

}  // namespace
}  // namespace weir
