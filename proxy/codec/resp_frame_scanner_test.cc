#include "proxy/codec/resp_frame_scanner.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/every_split_of.h"

namespace weir {
namespace {

using namespace std::string_literals;

FrameLimits SmallLimits() {
  return {.max_line_bytes = 8, .max_depth = 2, .max_elements = 5, .max_bulk_bytes = 10};
}

// One frame of every type, and nested ones.
const std::string kFrames[] = {
    "+OK\r\n",
    "+\r\n",
    "-ERR no such key\r\n",
    ":0\r\n",
    ":-9223372036854775808\r\n",
    "$0\r\n\r\n",
    "$-1\r\n",
    "$5\r\nhello\r\n",
    "$12\r\n+OK\r\n$-1\r\n\r\n\r\n",
    "$3\r\n\r\n\r\r\n",
    "*0\r\n",
    "*-1\r\n",
    "*2\r\n$1\r\na\r\n$-1\r\n",
    "*3\r\n*0\r\n*1\r\n*-1\r\n:7\r\n",
    "_\r\n",
    ",3.14\r\n",
    ",-inf\r\n",
    "#t\r\n",
    "(3492890328409238509324850943850943825024385\r\n",
    "!21\r\nSYNTAX invalid syntax\r\n",
    "=15\r\ntxt:Some string\r\n",
    "~2\r\n+a\r\n:1\r\n",
    "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n$1\r\nx\r\n_\r\n",
    "%0\r\n",
    ">3\r\n+message\r\n+ch\r\n$2\r\nhi\r\n",
    "*2\r\n*2\r\n*1\r\n:1\r\n~1\r\n%1\r\n+k\r\n+v\r\n+z\r\n",
};

TEST(RespFrameScannerTest, FindsTheEndOfEveryTypeOverEverySplit) {
  for (const std::string& frame : kFrames) {
    for (const Chunks& chunks : EverySplitOf(frame)) {
      SCOPED_TRACE(Describe(chunks));
      RespFrameScanner scanner;
      EXPECT_EQ(scanner.type(), 0);
      for (size_t i = 0; i + 1 < chunks.size(); ++i) {
        EXPECT_EQ(scanner.Scan(chunks[i]), (ParseResult{ParseStatus::kNeedMore, chunks[i].size()}));
        EXPECT_TRUE(scanner.in_frame());
        EXPECT_EQ(scanner.type(), frame[0]);
      }
      // Bytes of the next frame behind it are left alone.
      const std::string last = std::string(chunks.back()) + "+next";
      EXPECT_EQ(scanner.Scan(last), (ParseResult{ParseStatus::kFrame, chunks.back().size()}));
      EXPECT_FALSE(scanner.in_frame());
      EXPECT_EQ(scanner.type(), frame[0]);
      EXPECT_EQ(scanner.announced_bytes(), 0u);
    }
  }
}

TEST(RespFrameScannerTest, AttributesBelongToTheFrameBehindThem) {
  const std::string attribute = "|1\r\n+popularity\r\n%1\r\n$1\r\na\r\n,0.1\r\n";
  for (const std::string& frame :
       {attribute + "*2\r\n:1\r\n:2\r\n", attribute + "|0\r\n*0\r\n",
        "*2\r\n:1\r\n" + attribute + ":2\r\n", "*1\r\n" + attribute + "*1\r\n|0\r\n_\r\n"}) {
    for (const Chunks& chunks : EverySplitOf(frame)) {
      SCOPED_TRACE(Describe(chunks));
      RespFrameScanner scanner;
      for (size_t i = 0; i + 1 < chunks.size(); ++i) {
        EXPECT_EQ(scanner.Scan(chunks[i]), (ParseResult{ParseStatus::kNeedMore, chunks[i].size()}));
        EXPECT_TRUE(scanner.in_frame());
      }
      EXPECT_EQ(scanner.Scan(chunks.back()),
                (ParseResult{ParseStatus::kFrame, chunks.back().size()}));
      EXPECT_EQ(scanner.type(), '*');
    }
  }
}

TEST(RespFrameScannerTest, FindsPipelinedFramesOneByOne) {
  std::string stream;
  for (const std::string& frame : kFrames) stream += frame;
  for (size_t piece : {1u, 2u, 3u, 7u, 64u, 100000u}) {
    SCOPED_TRACE(piece);
    RespFrameScanner scanner;
    size_t frames = 0;
    size_t frame_bytes = 0;
    for (size_t begin = 0; begin < stream.size(); begin += piece) {
      std::string_view chunk = std::string_view(stream).substr(begin, piece);
      while (!chunk.empty()) {
        const ParseResult result = scanner.Scan(chunk);
        ASSERT_NE(result.status, ParseStatus::kError) << scanner.error();
        frame_bytes += result.consumed;
        chunk.remove_prefix(result.consumed);
        if (result.status != ParseStatus::kFrame) continue;
        ASSERT_LT(frames, std::size(kFrames));
        EXPECT_EQ(frame_bytes, kFrames[frames].size());
        ++frames;
        frame_bytes = 0;
      }
    }
    EXPECT_EQ(frames, std::size(kFrames));
  }
}

TEST(RespFrameScannerTest, AnnouncesTheRestOfABulk) {
  RespFrameScanner scanner;
  EXPECT_EQ(scanner.announced_bytes(), 0u);
  scanner.Scan("*2\r\n$536870912\r");
  EXPECT_EQ(scanner.announced_bytes(), 0u);
  scanner.Scan("\n");
  EXPECT_EQ(scanner.announced_bytes(), 536870914u);
  scanner.Scan(std::string(1000, 'x'));
  EXPECT_EQ(scanner.announced_bytes(), 536869914u);
  scanner.Reset();
  EXPECT_EQ(scanner.announced_bytes(), 0u);
  EXPECT_FALSE(scanner.in_frame());
  EXPECT_EQ(scanner.Scan("$1\r\nx"), (ParseResult{ParseStatus::kNeedMore, 5}));
  EXPECT_EQ(scanner.announced_bytes(), 2u);
  scanner.Scan("\r");
  EXPECT_EQ(scanner.announced_bytes(), 1u);
}

TEST(RespFrameScannerTest, EmptyInputIsNoFrame) {
  RespFrameScanner scanner;
  EXPECT_EQ(scanner.Scan(""), (ParseResult{ParseStatus::kNeedMore, 0}));
  EXPECT_FALSE(scanner.in_frame());
}

struct BadFrame {
  std::string bytes;
  std::string_view error;
};

// With SmallLimits().
const BadFrame kBadFrames[] = {
    {"HTTP/1.1 400 Bad Request\r\n", "unknown type"},
    {"\r\n", "unknown type"},
    {"*1\r\n\0"s, "unknown type"},
    {"$?\r\n;4\r\nHell\r\n", "streamed RESP3 values are not supported"},
    {"*?\r\n:1\r\n.\r\n", "streamed RESP3 values are not supported"},
    {";4\r\nHell\r\n", "streamed RESP3 values are not supported"},
    {"$-2\r\n", "invalid length"},
    {"$-\r\n", "invalid length"},
    {"$--1\r\n", "invalid length"},
    {"$-01\r\n", "invalid length"},
    {"$1x\r\n", "invalid length"},
    {"$-1?\r\n", "invalid length"},
    {"$\r\n", "invalid length"},
    {"%-1\r\n", "invalid length"},
    {"!-1\r\n", "invalid length"},
    {"$00000000000000000000", "invalid length"},
    {"$1\rx", "length without CRLF"},
    {"$1\r\nab\r\n", "bulk without CRLF"},
    {"$1\r\na\r\r", "bulk without CRLF"},
    {"$11\r\n", "bulk too large"},
    {"$99999999999999999999", "bulk too large"},
    {"*6\r\n", "too many elements"},
    {"*99999999999999999999", "too many elements"},
    {"+123456789", "line too long"},
    {"-123456789\r\n", "line too long"},
    {"+a\rb\r\n", "CR in a line"},
    {"*1\r\n*1\r\n*1\r\n", "nested too deeply"},
    {"*1\r\n%1\r\n|1\r\n", "nested too deeply"},
    {"*1\r\n>1\r\n+a\r\n", "push inside another frame"},
};

TEST(RespFrameScannerTest, RefusesWhatIsNoFrameOverEverySplit) {
  for (const BadFrame& bad : kBadFrames) {
    for (const Chunks& chunks : EverySplitOf(bad.bytes)) {
      SCOPED_TRACE(Describe(chunks));
      RespFrameScanner scanner(SmallLimits());
      ParseResult result = {ParseStatus::kNeedMore, 0};
      for (std::string_view chunk : chunks) {
        result = scanner.Scan(chunk);
        if (result.status != ParseStatus::kNeedMore) break;
        EXPECT_EQ(result.consumed, chunk.size());
      }
      EXPECT_EQ(result, (ParseResult{ParseStatus::kError, 0}));
      EXPECT_EQ(scanner.error(), bad.error);
      EXPECT_EQ(scanner.Scan("+OK\r\n").status, ParseStatus::kError);
      scanner.Reset();
      EXPECT_EQ(scanner.Scan("+OK\r\n"), (ParseResult{ParseStatus::kFrame, 5}));
    }
  }
}

TEST(RespFrameScannerTest, TakesWhatIsExactlyAtItsLimits) {
  for (const std::string& frame :
       {"+12345678\r\n"s, "$10\r\n0123456789\r\n"s, "*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n"s,
        "*1\r\n*1\r\n*0\r\n"s}) {
    for (const Chunks& chunks : EverySplitOf(frame)) {
      SCOPED_TRACE(Describe(chunks));
      RespFrameScanner scanner(SmallLimits());
      ParseResult result = {ParseStatus::kNeedMore, 0};
      for (std::string_view chunk : chunks) result = scanner.Scan(chunk);
      EXPECT_EQ(result, (ParseResult{ParseStatus::kFrame, chunks.back().size()}));
    }
  }
}

TEST(RespFrameScannerTest, NestsToItsDepth) {
  std::string frame;
  for (uint32_t i = 0; i < RespFrameScanner::kMaxDepth; ++i) frame += "*1\r\n";
  RespFrameScanner scanner;
  EXPECT_EQ(scanner.Scan(frame + ":1\r\n").status, ParseStatus::kFrame);
  EXPECT_EQ(scanner.Scan(frame + "*1\r\n:1\r\n").status, ParseStatus::kError);
}

TEST(RespFrameScannerTest, AMapOfTheGreatestCountIsTwiceAsManyElements) {
  RespFrameScanner scanner(FrameLimits{.max_elements = UINT32_MAX});
  EXPECT_EQ(scanner.Scan("%2147483647\r\n").status, ParseStatus::kNeedMore);
  scanner.Reset();
  EXPECT_EQ(scanner.Scan("%2147483648\r\n").status, ParseStatus::kError);
}

}  // namespace
}  // namespace weir
