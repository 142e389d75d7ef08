#include "proxy/codec/reply_scanner.h"

#include <gtest/gtest.h>

#include <string_view>

#include "tests/support/every_split_of.h"

namespace weir {
namespace {

TEST(ReplyScannerTest, TellsPushesAndErrorsFromRepliesAsSoonAsTheyBegin) {
  struct Case {
    std::string_view frame;
    bool push;
    bool error;
  };
  for (const Case& c : {Case{"+OK\r\n", false, false}, Case{"-ERR no\r\n", false, true},
                        Case{">2\r\n+pubsub\r\n-x\r\n", true, false},
                        Case{"*1\r\n-ERR element\r\n", false, false}}) {
    for (const Chunks& chunks : EverySplitOf(c.frame)) {
      ReplyScanner scanner(Protocol::kRedis);
      ParseResult result = {ParseStatus::kNeedMore, 0};
      for (std::string_view chunk : chunks) {
        ASSERT_EQ(result.status, ParseStatus::kNeedMore) << Describe(chunks);
        result = scanner.Scan(chunk);
        EXPECT_EQ(scanner.is_push(), c.push) << Describe(chunks);
        EXPECT_EQ(scanner.is_error_line(), c.error) << Describe(chunks);
      }
      EXPECT_EQ(result.status, ParseStatus::kFrame) << Describe(chunks);
    }
  }
}

TEST(ReplyScannerTest, AfterAResetTheNextConnectionsBytesBeginAFrame) {
  ReplyScanner scanner(Protocol::kRedis);
  EXPECT_EQ(scanner.Scan("$5\r\nab").status, ParseStatus::kNeedMore);
  EXPECT_EQ(scanner.announced_bytes(), 5u);
  scanner.Reset();
  EXPECT_EQ(scanner.announced_bytes(), 0u);
  EXPECT_EQ(scanner.Scan("+OK\r\n"), (ParseResult{ParseStatus::kFrame, 5}));
  EXPECT_EQ(scanner.Scan("what?").status, ParseStatus::kError);
  EXPECT_NE(scanner.error(), "");
}

}  // namespace
}  // namespace weir
