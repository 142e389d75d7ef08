#include "controlplane/ctl/table.h"

#include "controlplane/ctl/text.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(TableTest, PutsColumnsInLineAndEndsLinesWithoutSpaces) {
  Table table({"NAME", "WEIGHT", "STATE"});
  table.Add({"a", "1", "active"});
  table.Add({"a-long-name", "", "draining"});
  EXPECT_EQ(table.Format(2),
            "  NAME         WEIGHT  STATE\n"
            "  a            1       active\n"
            "  a-long-name  -       draining\n");
}

TEST(TableTest, CountsCharactersNotBytes) {
  Table table({"NAME", "X"});
  table.Add({"größe", "1"});
  table.Add({"東京", "2"});
  table.Add({"e\u0301", "3"});
  EXPECT_EQ(table.Format(),
            "NAME   X\n"
            "größe  1\n"
            "東京   2\n"
            "e\u0301      3\n");
}

TEST(TextTest, LetsNothingMoveTheCursor) {
  EXPECT_EQ(Displayable("a\x1b[2Jb\r\n"), "a\\x1b[2Jb\\x0d\\x0a");
  EXPECT_EQ(Displayable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Displayable("\xc0\x80"), "\\xc0\\x80");  // an overlong zero
  EXPECT_EQ(Displayable("\xc2\x9b"
                        "1m"),
            "\\xc2\\x9b"
            "1m");                                      // C1's CSI
  EXPECT_EQ(Displayable("\u202e"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(Displayable("größe 東京 🙂"), "größe 東京 🙂");
}

TEST(TextTest, WritesSharesAndTimes) {
  EXPECT_EQ(Percent(1.0 / 3), "33.33 %");
  EXPECT_EQ(Percent(0), "0.00 %");
  EXPECT_EQ(Percent(0.00001), "< 0.01 %");
  google::protobuf::Timestamp time;
  EXPECT_EQ(TimeText(time), "-");
  time.set_seconds(1'700'000'000);
  EXPECT_EQ(TimeText(time), "2023-11-14 22:13:20Z");
}

}  // namespace
}  // namespace weir
