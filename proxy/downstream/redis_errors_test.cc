#include "proxy/downstream/redis_errors.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/codec/redis_commands.h"

namespace weir {
namespace {

TEST(RedisErrorsTest, QuotesOnOneLineWhateverIsInIt) {
  EXPECT_EQ(Quote("plain text"), "plain text");
  EXPECT_EQ(Quote(std::string_view("a\r\n\0\xff", 5)), "a\\x0d\\x0a\\x00\\xff");
}

TEST(RedisErrorsTest, QuotesNoMoreThan128Bytes) {
  EXPECT_EQ(Quote(std::string(128, 'x')), std::string(128, 'x'));
  EXPECT_EQ(Quote(std::string(100'000, 'x')), std::string(128, 'x') + "...");
}

TEST(RedisErrorsTest, WordsMistakesAsRedisDoes) {
  const std::vector<std::string_view> args = {"foo", "bar", "baz"};
  EXPECT_EQ(UnknownCommandError(args),
            "ERR unknown command 'foo', with args beginning with: 'bar' 'baz' ");
  EXPECT_EQ(WrongArityError(*RedisCommands().Find("get")),
            "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(UnknownSubcommandError(*RedisCommands().Find("object"), "nope"),
            "ERR unknown subcommand 'nope'. Try OBJECT HELP.");
}

TEST(RedisErrorsTest, AnErrorAboutAHugeRequestStaysShort) {
  const std::string huge(1'000'000, 'x');
  const std::vector<std::string_view> args(1000, huge);
  EXPECT_LE(UnknownCommandError(args).size(), 600u);
}

TEST(RedisErrorsTest, EveryFailureNamesItsShard) {
  for (int failure = 0; failure <= static_cast<int>(Failure::kRemoved); ++failure) {
    const std::string text = FailureError(static_cast<Failure>(failure), "shard-7");
    EXPECT_TRUE(text.starts_with("ERR ") || text.starts_with("NOPROTO ")) << text;
    EXPECT_NE(text.find("shard-7"), text.npos) << text;
  }
}

TEST(RedisErrorsTest, TellsTheCauseOfAnErrorReplyInBoundedLength) {
  EXPECT_EQ(CauseOf("-ERR no such thing\r\n"), "no such thing");
  EXPECT_EQ(CauseOf("-OOM command not allowed\r\n"), "OOM command not allowed");
  EXPECT_EQ(CauseOf("-" + std::string(500, 'x') + "\r\n"), std::string(120, 'x'));
  EXPECT_EQ(CauseOf(""), "");
}

}  // namespace
}  // namespace weir
