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

TEST(RespRequestParserTest, ParsesPipelinedRequestsOneByOne) {
  std::string stream;
  for (const Request& request : kRequests) stream += request.bytes;
  RespRequestParser parser;
  std::string_view rest = stream;
  for (const Request& request : kRequests) {
    const ParseResult result = parser.Parse(rest);
    ASSERT_EQ(result, (ParseResult{ParseStatus::kFrame, request.bytes.size()}));
    EXPECT_EQ(ArgsOf(parser), request.args);
    rest.remove_prefix(result.consumed);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(RespRequestParserTest, ArgumentsOfAnArrayAreViewsIntoTheInput) {
  const std::string input = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
  RespRequestParser parser;
  ASSERT_EQ(parser.Parse(input).status, ParseStatus::kFrame);
  EXPECT_EQ(parser.args()[0].data(), input.data() + 8);
  EXPECT_EQ(parser.args()[1].data(), input.data() + 17);
}

TEST(RespRequestParserTest, AnUnfinishedRequestTellsWhatItKnows) {
  RespRequestParser parser;
  std::string input = "*3\r";
  EXPECT_EQ(parser.Parse(input).status, ParseStatus::kNeedMore);
  EXPECT_EQ(parser.declared_args(), 0);
  input += "\n";
  EXPECT_EQ(parser.Parse(input).status, ParseStatus::kNeedMore);
  EXPECT_EQ(parser.declared_args(), 3);
  EXPECT_EQ(parser.wanted_bytes(), 4 + 3 * 6u);
  input += "$3\r\nSET\r\n$3\r\nkey\r\n$536870912\r\n";
  EXPECT_EQ(parser.Parse(input).status, ParseStatus::kNeedMore);
  EXPECT_THAT(parser.args(), ElementsAre("SET", "key"));
  EXPECT_EQ(parser.wanted_bytes(), input.size() + 536870912 + 2);
  EXPECT_FALSE(parser.is_inline());
  input += "some of the value";
  EXPECT_EQ(parser.Parse(input).status, ParseStatus::kNeedMore);
  EXPECT_THAT(parser.args(), ElementsAre("SET", "key"));
}

TEST(RespRequestParserTest, ArgumentsSoFarMayBeAskedForAnyNumberOfTimes) {
  const std::string bytes = "*4\r\n$1\r\na\r\n$0\r\n\r\n$2\r\nbc\r\n$1\r\nd\r\n";
  RespRequestParser parser;
  for (size_t size = 1; size < bytes.size(); ++size) {
    const std::string input = bytes.substr(0, size);
    ASSERT_EQ(parser.Parse(input).status, ParseStatus::kNeedMore);
    const size_t complete = size >= 25 ? 3 : size >= 17 ? 2 : size >= 11 ? 1 : 0;
    EXPECT_EQ(parser.args().size(), complete) << size;
    EXPECT_EQ(ArgsOf(parser), ArgsOf(parser));
  }
  ASSERT_EQ(parser.Parse(bytes).status, ParseStatus::kFrame);
  EXPECT_THAT(parser.args(), ElementsAre("a", "", "bc", "d"));
}

TEST(RespRequestParserTest, ACopyGoesOnWhereTheOriginalStopped) {
  RespRequestParser workers;
  const std::string bytes = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
  ASSERT_EQ(workers.Parse(std::string_view(bytes).substr(0, 15)).status, ParseStatus::kNeedMore);
  RespRequestParser sessions = workers;
  workers.Reset();
  ASSERT_EQ(workers.Parse("*1\r\n$4\r\nPING\r\n").status, ParseStatus::kFrame);
  const std::string moved = bytes;
  ASSERT_EQ(sessions.Parse(moved).status, ParseStatus::kFrame);
  EXPECT_THAT(sessions.args(), ElementsAre("GET", "key"));
}

struct BadRequest {
  std::string bytes;
  std::string_view error;
};

constexpr std::string_view kBadCount = "ERR Protocol error: invalid multibulk length";
constexpr std::string_view kBadBulk = "ERR Protocol error: invalid bulk length";
constexpr std::string_view kBadLineEnd = "ERR Protocol error: expected CRLF after bulk string";
constexpr std::string_view kUnbalanced = "ERR Protocol error: unbalanced quotes in request";

// With SmallLimits(). Texts as of redis 7.0.15, which is more patient (it waits for the line end),
// except for line ends, which it does not look at.
const BadRequest kBadRequests[] = {
    {"*x\r\n", kBadCount},
    {"*\r\n", kBadCount},
    {"* 1\r\n", kBadCount},
    {"*+1\r\n", kBadCount},
    {"*01\r\n", kBadCount},
    {"*-\r\n", kBadCount},
    {"*-0\r\n", kBadCount},
    {"*1\n", kBadCount},
    {"*1\rx", kBadCount},
    {"*12\r\r", kBadCount},
    {"*20\r\n", kBadCount},
    {"*99999999999999999999", kBadCount},
    {"*-99999999999999999999", kBadCount},
    {"*2x\r\n", kBadCount},
    {"*1\r\n3\r\n", "ERR Protocol error: expected '$', got '3'"},
    {"*1\r\n\r\n", "ERR Protocol error: expected '$', got ' '"},
    {"*1\r\n\x01", "ERR Protocol error: expected '$', got '?'"},
    {"*2\r\n$1\r\na\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"},
    {"*1\r\n$x\r\n", kBadBulk},
    {"*1\r\n$-1\r\n", kBadBulk},
    {"*1\r\n$\r\n", kBadBulk},
    {"*1\r\n$03\r\nGET\r\n", kBadBulk},
    {"*1\r\n$3\n", kBadBulk},
    {"*1\r\n$101\r\n", kBadBulk},
    {"*1\r\n$99999999999999999999", kBadBulk},
    {"*1\r\n$3\r\nGETT\r\n", kBadLineEnd},
    {"*1\r\n$3\r\nGET\r\r", kBadLineEnd},
    {"*4\r\n$80\r\n" + std::string(80, 'a') + "\r\n$30\r\n", "ERR Protocol error: too big request"},
    {"GET \"key\r\n", kUnbalanced},
    {"GET 'key\r\n", kUnbalanced},
    {"GET 'a'b\r\n", kUnbalanced},
    {"GET \"a\"b\r\n", kUnbalanced},
    {"G\0T\r\n"s, "ERR Protocol error: NUL byte in inline request"},
    {"0123456789abcdefg", "ERR Protocol error: too big inline request"},
    {"0123456789abcdef\r\n", "ERR Protocol error: too big inline request"},
};

RequestLimits SmallLimits() {
  return {.max_line_bytes = 16, .max_args = 10, .max_bulk_bytes = 100, .max_request_bytes = 120};
}

TEST(RespRequestParserTest, RefusesWhatIsNoRequestOverEverySplit) {
  RespRequestParser parser(SmallLimits());
  std::unique_ptr<std::string> buffer;
  for (const BadRequest& bad : kBadRequests) {
    for (const Chunks& chunks : EverySplitOf(bad.bytes)) {
      SCOPED_TRACE(Describe(chunks));
      EXPECT_EQ(Feed(parser, chunks, buffer), (ParseResult{ParseStatus::kError, 0}));
      EXPECT_EQ(parser.error(), bad.error);
      // The next Parse begins afresh.
      EXPECT_EQ(parser.Parse("PING\r\n"), (ParseResult{ParseStatus::kFrame, 6}));
    }
  }
}

TEST(RespRequestParserTest, TakesWhatIsExactlyAtItsLimits) {
  RespRequestParser parser(SmallLimits());
  EXPECT_EQ(parser.Parse("0123456789abcde\r\n").status, ParseStatus::kFrame);
  EXPECT_EQ(parser.Parse("0123456789abcdef\n").status, ParseStatus::kFrame);
  std::string input = "*10\r\n";
  for (int i = 0; i < 10; ++i) input += "$1\r\na\r\n";
  EXPECT_EQ(parser.Parse(input).status, ParseStatus::kFrame);
  EXPECT_EQ(parser.Parse("*1\r\n$100\r\n" + std::string(100, 'a') + "\r\n").status,
            ParseStatus::kFrame);
  // "*2", a bulk of 99 and one of 4 are 120 bytes in all.
  EXPECT_EQ(parser.Parse("*2\r\n$99\r\n" + std::string(99, 'a') + "\r\n$5\r\nabcde\r\n").status,
            ParseStatus::kError);
  EXPECT_EQ(parser.Parse("*2\r\n$99\r\n" + std::string(99, 'a') + "\r\n$4\r\nabcd\r\n").status,
            ParseStatus::kFrame);
}

TEST(RespRequestParserTest, AnAnnouncedCountReservesNoMemory) {
  RespRequestParser parser;
  EXPECT_EQ(parser.Parse("*1048577\r\n").status, ParseStatus::kError);
  EXPECT_EQ(parser.Parse("*1048576\r\n$536870912\r\n").status, ParseStatus::kNeedMore);
  EXPECT_LT(parser.memory_bytes(), 1024u);
}

TEST(RespRequestParserTest, ResetGivesBackTheMemoryOfAnUnusuallyLongRequest) {
  std::string input = "*100000\r\n";
  for (int i = 0; i < 100000; ++i) input += "$1\r\na\r\n";
  RespRequestParser parser;
  EXPECT_EQ(parser.Parse(std::string_view(input).substr(0, 500000)).status, ParseStatus::kNeedMore);
  EXPECT_EQ(parser.Parse(input).status, ParseStatus::kFrame);
  EXPECT_EQ(parser.args().size(), 100000u);
  EXPECT_GT(parser.memory_bytes(), 1600000u);
  parser.Reset();
  EXPECT_LT(parser.memory_bytes(), 1024u);
}

// Bytes looked at for an input that comes in pieces of `piece` bytes.
uint64_t ExaminedBytes(std::string_view input, size_t piece) {
  RespRequestParser parser(RequestLimits{.max_line_bytes = 1 << 20});
  for (size_t size = piece; size < input.size(); size += piece) {
    EXPECT_EQ(parser.Parse(input.substr(0, size)).status, ParseStatus::kNeedMore);
  }
  EXPECT_EQ(parser.Parse(input), (ParseResult{ParseStatus::kFrame, input.size()}));
  return parser.TEST_examined_bytes();
}

TEST(RespRequestParserTest, CostIsLinearHoweverTheInputIsCut) {
  std::string many = "*20000\r\n";
  for (int i = 0; i < 20000; ++i) many += "$1\r\na\r\n";
  const std::string long_value =
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + std::string(1000000, 'v') + "\r\n";
  const std::string long_line = std::string(500000, 'x') + "\r\n";
  for (size_t piece : {1u, 2u, 3u, 5u, 13u, 100u, 4096u}) {
    SCOPED_TRACE(piece);
    // A length line of 4 bytes is read again for each of its bytes, and no more than that.
    EXPECT_LE(ExaminedBytes(many, piece), many.size() * 3);
    EXPECT_LE(ExaminedBytes(long_value, piece), 200u);
    EXPECT_LE(ExaminedBytes(long_line, piece), long_line.size());
  }
}

}  // namespace
}  // namespace weir
