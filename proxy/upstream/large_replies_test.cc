#include "proxy/upstream/large_replies.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

constexpr std::string_view kGet = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";

TEST(LargeRepliesTest, NothingIsMarkedWhileNoReplyIsLarge) {
  LargeReplies replies;
  EXPECT_FALSE(replies.watching());
  replies.Add(0);
  EXPECT_TRUE(replies.watching());
}

TEST(LargeRepliesTest, TheSecondLargeReplyToARequestIsRemembered) {
  LargeReplies replies;
  replies.Add(0);  // what was asked is not known
  EXPECT_FALSE(replies.Expects(kGet));
  replies.Add(replies.MarkOf(kGet));
  EXPECT_TRUE(replies.Expects(kGet));
  EXPECT_FALSE(replies.Expects("*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"));
}

TEST(LargeRepliesTest, ASmallReplyIsForgottenAgain) {
  LargeReplies replies;
  replies.Add(0);
  const LargeReplies::Mark mark = replies.MarkOf(kGet);
  replies.Add(mark);
  replies.Forget(mark);
  EXPECT_FALSE(replies.Expects(kGet));
}

TEST(LargeRepliesTest, AllIsForgottenAfterSoManyRequestsWithoutALargeReply) {
  LargeReplies replies;
  replies.Add(0);
  replies.Add(replies.MarkOf(kGet));
  for (uint32_t i = 1; i < LargeReplies::kRememberedFor; ++i) replies.MarkOf("PING");
  EXPECT_TRUE(replies.Expects(kGet));
  replies.MarkOf("PING");
  EXPECT_FALSE(replies.watching());
  replies.Add(0);
  EXPECT_FALSE(replies.Expects(kGet));
}

TEST(LargeRepliesTest, ALongRequestIsNotMarked) {
  LargeReplies replies;
  replies.Add(0);
  EXPECT_EQ(replies.MarkOf(std::string(LargeReplies::kMostBytes + 1, 'x')), 0u);
  EXPECT_NE(replies.MarkOf(std::string(LargeReplies::kMostBytes, 'x')), 0u);
}

}  // namespace
}  // namespace weir
