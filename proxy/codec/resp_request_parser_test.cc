#include "proxy/codec/resp_request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/every_split_of.h"

namespace weir {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

using Args = std::vector<std::string>;

Args ArgsOf(RespRequestParser& parser) { return Args(parser.args().begin(), parser.args().end()); }

struct Request {
  std::string bytes;
  Args args;
  bool is_inline = false;
};

const Request kRequests[] = {
    {"*1\r\n$4\r\nPING\r\n", {"PING"}},
    {"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", {"GET", "key"}},
    {"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", {"SET", "k", ""}},
    {"*2\r\n$4\r\nECHO\r\n$12\r\n*1\r\n$1\r\nx\r\n\0\r\n"s, {"ECHO", "*1\r\n$1\r\nx\r\n\0"s}},
    {"*10\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n"
     "$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n",
     {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
    {"*2\r\n$3\r\nGET\r\n$103\r\n" + std::string(103, 'v') + "\r\n",
     {"GET", std::string(103, 'v')}},
    {"*0\r\n", {}},
    {"*-1\r\n", {}},
    {"*-100\r\n", {}},
    {"PING\r\n", {"PING"}, true},
    {"PING\n", {"PING"}, true},
    {"  SET key\t'a b' \"\\x41\" \r\n", {"SET", "key", "a b", "A"}, true},
    {"\r\n", {}, true},
    {"\n", {}, true},
    {" \t\r\n", {}, true},
};

// Feeds `chunks` as a connection's buffer would: everything so far, at a new address each time.
// Returns the last answer; `buffer` keeps the last input alive.
ParseResult Feed(RespRequestParser& parser, const Chunks& chunks,
                 std::unique_ptr<std::string>& buffer) {
  ParseResult result = {ParseStatus::kNeedMore, 0};
  buffer = std::make_unique<std::string>();
  for (size_t i = 0; i < chunks.size(); ++i) {
    buffer = std::make_unique<std::string>(*buffer + std::string(chunks[i]));
    result = parser.Parse(*buffer);
    if (result.status != ParseStatus::kNeedMore) break;
    EXPECT_EQ(result.consumed, 0u);
    EXPECT_GT(parser.wanted_bytes(), buffer->size());
  }
  return result;
}

TEST(RespRequestParserTest, ParsesEveryKindOfRequestOverEverySplit) {
  RespRequestParser parser;
  std::unique_ptr<std::string> buffer;
  for (const Request& request : kRequests) {
    for (const Chunks& chunks : EverySplitOf(request.bytes)) {
      SCOPED_TRACE(Describe(chunks));
      Chunks and_more = chunks;
      const std::string last = std::string(chunks.back()) + "*1\r\n$4";
      and_more.back() = last;
      const ParseResult result = Feed(parser, and_more, buffer);
      EXPECT_EQ(result, (ParseResult{ParseStatus::kFrame, request.bytes.size()}));
      EXPECT_EQ(ArgsOf(parser), request.args);
      EXPECT_EQ(parser.is_inline(), request.is_inline);
    }
  }
}

}  // namespace
}  // namespace weir
