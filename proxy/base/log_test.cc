#include "proxy/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

absl::Time g_now;

// 2026-11-22T10:00:00.123Z
const absl::Time kTen = absl::FromUnixMillis(1'795'341'600'123);

std::string Contents(const std::string& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> Lines(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string Line(std::initializer_list<LogField> fields) {
  const std::string line = FormatLogLine(kTen, LogLevel::kWarn, "e", fields);
  constexpr std::string_view kPrefix = "2026-11-22T10:00:00.123Z warn e";
  EXPECT_EQ(line.substr(0, kPrefix.size()), kPrefix);
  return line.substr(kPrefix.size());
}

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / StrCat("weir_log_test.", getpid());
    std::filesystem::create_directory(folder_);
    file_ = folder_ / "weir.log";
    std::filesystem::remove(file_);
    g_now = kTen;
    Log::SetClockForTest([] { return g_now; });
    Log::SetLevel(5);
    ASSERT_TRUE(Log::Open(file_).ok());
  }
  void TearDown() override {
    ASSERT_TRUE(Log::Open("").ok());
    Log::SetClockForTest(nullptr);
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path folder_;
  std::string file_;
};

TEST(LogLineTest, HasTimeLevelEventAndPairs) {
  EXPECT_EQ(FormatLogLine(kTen, LogLevel::kWarn, "shard_ejected",
                          {{"pool", "alpha"}, {"shard", "server1-1"}, {"failures", 2}}),
            "2026-11-22T10:00:00.123Z warn shard_ejected pool=alpha shard=server1-1 failures=2\n");
}

TEST(LogLineTest, ValuesOfEachTypeAreWritten) {
  EXPECT_EQ(Line({{"a", std::string("s")}, {"b", std::string_view("v")}, {"c", true}, {"d", -3}}),
            " a=s b=v c=true d=-3\n");
  EXPECT_EQ(Line({{"u", std::numeric_limits<uint64_t>::max()}, {"f", 0.5}}),
            " u=18446744073709551615 f=0.5\n");
}

TEST(LogLineTest, AValueThatWouldBreakTheLineIsQuoted) {
  EXPECT_EQ(Line({{"e", "Connection refused"}}), " e=\"Connection refused\"\n");
  EXPECT_EQ(Line({{"e", ""}}), " e=\"\"\n");
  EXPECT_EQ(Line({{"e", "a=b"}}), " e=\"a=b\"\n");
  EXPECT_EQ(Line({{"e", "say \"hi\" \\ bye"}}), " e=\"say \\\"hi\\\" \\\\ bye\"\n");
  EXPECT_EQ(Line({{"e", std::string_view("\r\n\t\0\xc3\x7f", 6)}}),
            " e=\"\\r\\n\\t\\x00\\xc3\\x7f\"\n");
}

TEST(LogLineTest, ALongValueIsCutAndALineNeverExceedsItsLimit) {
  const std::string huge(100'000, '\n');
  EXPECT_EQ(Line({{"v", std::string(1025, 'x')}}), StrCat(" v=", std::string(1024, 'x'), "...\n"));
  const std::string line = Line({{"a", huge}, {"b", huge}, {"c", huge}});
  EXPECT_LT(line.size(), Log::kMaxLineBytes - 50);
  EXPECT_THAT(line, EndsWith(" truncated=true\n"));
}

TEST_F(LogTest, WritesWhatIsAtOrBelowTheLevel) {
  LOG_EVENT(LogLevel::kNotice, "shown");
  LOG_EVENT(LogLevel::kInfo, "hidden", {"n", 1});
  EXPECT_EQ(Contents(file_), "2026-11-22T10:00:00.123Z notice shown\n");
}

TEST_F(LogTest, ADisabledLevelDoesNotEvaluateItsFields) {
  int evaluated = 0;
  LOG_EVENT(LogLevel::kDebug, "hidden", {"n", ++evaluated});
  EXPECT_EQ(evaluated, 0);
  Log::SetLevel(11);
  LOG_EVENT(LogLevel::kDebug, "shown", {"n", ++evaluated});
  EXPECT_EQ(evaluated, 1);
}

TEST_F(LogTest, LevelsGoUpAndDownWithinTwemproxysRange) {
  EXPECT_EQ(Log::LevelUp(), 6);
  EXPECT_EQ(Log::LevelDown(), 5);
  EXPECT_EQ(Log::SetLevel(99), 11);
  EXPECT_EQ(Log::LevelUp(), 11);
  EXPECT_EQ(Log::SetLevel(-1), 0);
  EXPECT_EQ(Log::LevelDown(), 0);
}

TEST_F(LogTest, ReopenWritesToANewFileAfterLogrotateMovedTheOld) {
  LogEvent(LogLevel::kNotice, "before");
  std::filesystem::rename(file_, file_ + ".1");
  LogEvent(LogLevel::kNotice, "between");
  ASSERT_TRUE(Log::Reopen().ok());
  LogEvent(LogLevel::kNotice, "after");
  EXPECT_THAT(Contents(file_ + ".1"), testing::AllOf(HasSubstr("before"), HasSubstr("between")));
  EXPECT_EQ(Contents(file_), "2026-11-22T10:00:00.123Z notice after\n");
}

TEST_F(LogTest, AnErrorOnOpenOrReopenKeepsTheOldFile) {
  EXPECT_THAT(std::string(Log::Open("/nowhere/weir.log").message()),
              HasSubstr("/nowhere/weir.log"));
  std::filesystem::rename(folder_, folder_.string() + ".moved");
  EXPECT_FALSE(Log::Reopen().ok());
  LogEvent(LogLevel::kNotice, "still_here");
  std::filesystem::rename(folder_.string() + ".moved", folder_);
  EXPECT_THAT(Contents(file_), HasSubstr("still_here"));
}

TEST_F(LogTest, ThreadsNeverMixTheirLinesEvenWhileReopening) {
  constexpr int kEach = 500;
  auto write = [] {
    for (int i = 0; i < kEach; ++i)
      LogEvent(LogLevel::kNotice, "e", {{"v", std::string(200, 'x')}});
  };
  std::thread a(write), b(write);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Log::Reopen().ok());
  a.join();
  b.join();
  const std::vector<std::string> lines = Lines(file_);
  EXPECT_EQ(lines.size(), 2u * kEach);
  const std::string want = StrCat("2026-11-22T10:00:00.123Z notice e v=", std::string(200, 'x'));
  EXPECT_THAT(lines, testing::Each(want));
}

TEST_F(LogTest, ALimitedEventReportsHowManyWereHeldBack) {
  for (int i = 0; i < 31; ++i) {
    if (i == 30) g_now += absl::Seconds(1);
    LOG_EVENT_LIMITED(LogLevel::kWarn, "refused", {"i", i});
  }
  const std::vector<std::string> lines = Lines(file_);
  ASSERT_EQ(lines.size(), 11u);
  EXPECT_THAT(lines[9], EndsWith("warn refused i=9"));
  EXPECT_THAT(lines[10], EndsWith("warn refused i=30 suppressed=20"));
}

TEST_F(LogTest, APipeThatNobodyReadsLosesLinesInsteadOfBlocking) {
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  ASSERT_TRUE(Log::Open(pipe).ok());
  const uint64_t lost_before = Log::lost_lines();
  for (int i = 0; i < 1000; ++i) LogEvent(LogLevel::kNotice, "e", {{"v", std::string(1000, 'x')}});
  const uint64_t lost = Log::lost_lines() - lost_before;
  EXPECT_GT(lost, 0u);
  EXPECT_LT(lost, 1000u);
  std::string drained(1 << 21, '\0');
  EXPECT_GT(read(reader, drained.data(), drained.size()), 0);
  LogEvent(LogLevel::kNotice, "reader_is_back");
  drained.resize(read(reader, drained.data(), drained.size()));
  EXPECT_THAT(drained, EndsWith(StrCat("notice reader_is_back lost=", lost, "\n")));
  close(reader);
}

}  // namespace
}  // namespace weir
