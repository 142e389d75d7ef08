#include "proxy/codec/resp_request_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/support/every_split_of.h"

namespace weir {
namespace {

struct Outcome {
  ParseStatus status = ParseStatus::kNeedMore;
  size_t consumed = 0;  // of all pieces
  std::string error;
};

Outcome ScanAll(const Chunks& chunks, const RequestLimits& limits = {}) {
  RespRequestScanner scanner(limits);
  Outcome outcome;
  for (std::string_view chunk : chunks) {
    const ParseResult result = scanner.Scan(chunk);
    outcome.status = result.status;
    outcome.consumed += result.consumed;
    if (result.status != ParseStatus::kNeedMore) break;
  }
  outcome.error = scanner.error();
  return outcome;
}

TEST(RespRequestScannerTest, FindsTheEndOfARequestInAnyPieces) {
  const std::string request = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\nvalue\r\n*1\r\n$\r\n";
  const std::string input = request + "*1\r\n";
  for (const Chunks& chunks : EverySplitOf(input)) {
    const Outcome outcome = ScanAll(chunks);
    ASSERT_EQ(outcome.status, ParseStatus::kFrame) << Describe(chunks);
    ASSERT_EQ(outcome.consumed, request.size()) << Describe(chunks);
  }
}

TEST(RespRequestScannerTest, IsAsStrictAsTheParserAndSaysTheSame) {
  for (std::string_view input : {
           "*1\r\n:1\r\n",          // another type
           "*1\r\n+OK\r\n",         //
           "*2\r\n*1\r\n",          // nested
           "*1\r\n$-1\r\n",         // a null
           "*1\r\n$01\r\n",         // a leading zero
           "*1\r\n$+1\r\n",         //
           "*1\r\n$\r\n",           // no number
           "*1\r\n$1x",             //
           "*1\r\n$1\rx",           //
           "*1\r\n$536870913\r\n",  // more than an argument may have
           "*9999999999999\r\n",    //
           "*1\r\n$1\r\nxyz",       // no line end where one is due
           "*1\r\n$1\r\nx\rz",      //
           "*1\r\n\x01",            // unprintable
       }) {
    RespRequestParser parser;
    ASSERT_EQ(parser.Parse(input).status, ParseStatus::kError) << input;
    for (const Chunks& chunks : EverySplitOf(input)) {
      const Outcome outcome = ScanAll(chunks);
      ASSERT_EQ(outcome.status, ParseStatus::kError) << Describe(chunks);
      ASSERT_EQ(outcome.error, parser.error()) << Describe(chunks);
    }
  }
}

TEST(RespRequestScannerTest, RefusesARequestThatIsLargerThanAllowedWhenItIsAnnounced) {
  RequestLimits limits;
  limits.max_request_bytes = 100;
  EXPECT_EQ(ScanAll({"*1\r\n$90\r\n"}, limits).status, ParseStatus::kNeedMore);
  EXPECT_EQ(ScanAll({"*1\r\n$91\r\n"}, limits).error, kTooBigRequest);
}

TEST(RespRequestScannerTest, StaysFailed) {
  RespRequestScanner scanner;
  EXPECT_EQ(scanner.Scan("*1\r\n:").status, ParseStatus::kError);
  EXPECT_EQ(scanner.Scan("$1\r\nx\r\n").status, ParseStatus::kError);
}

}  // namespace
}  // namespace weir
