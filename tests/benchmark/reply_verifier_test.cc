#include "tests/benchmark/reply_verifier.h"

#include <gtest/gtest.h>
#include <utility>

namespace weir::benchmark {
namespace {

const KeySpace& Keys() {
  static const KeySpace& keys = *new KeySpace(10, 40);
  return keys;
}

std::string Bulk(uint32_t key) { return "$40\r\n" + ValueOf(Keys().Key(key)) + "\r\n"; }

// The verdict on `bytes` as the reply to `request`, with what was left of them.
std::pair<Verdict, std::string> Judge(const Request& request, std::string_view bytes) {
  ReplyVerifier verifier;
  verifier.Expect(Keys(), request);
  Verdict verdict = verifier.Feed(&bytes);
  return {verdict, std::string(bytes)};
}

using Judged = std::pair<Verdict, std::string>;
constexpr Request kGet3 = {.operation = Operation::kGet, .key = 3};
constexpr Request kSet3 = {.operation = Operation::kSet, .key = 3};
constexpr Request kMget8 = {.operation = Operation::kMget, .mget_keys = 3, .key = 8};

TEST(ReplyVerifierTest, TakesExactlyTheReplyAndLeavesTheNext) {
  EXPECT_EQ(Judge(kGet3, Bulk(3) + "+OK"), (Judged{Verdict::kComplete, "+OK"}));
  EXPECT_EQ(Judge(kSet3, "+OK\r\n$"), (Judged{Verdict::kComplete, "$"}));
  EXPECT_EQ(Judge(kMget8, "*3\r\n" + Bulk(8) + Bulk(9) + Bulk(0)),
            (Judged{Verdict::kComplete, ""}));
}

TEST(ReplyVerifierTest, RefusesAnythingElse) {
  EXPECT_EQ(Judge(kGet3, Bulk(4)).first, Verdict::kMismatch);
  EXPECT_EQ(Judge(kGet3, "$-1\r\n").first, Verdict::kMismatch);
  EXPECT_EQ(Judge(kGet3, "-ERR Connection refused\r\n").first, Verdict::kMismatch);
  EXPECT_EQ(Judge(kSet3, "-ERR no\r\n").first, Verdict::kMismatch);
  EXPECT_EQ(Judge(kMget8, "*2\r\n").first, Verdict::kMismatch);
  EXPECT_EQ(Judge(kMget8, "*3\r\n" + Bulk(8) + Bulk(0) + Bulk(9)).first, Verdict::kMismatch);
}

TEST(ReplyVerifierTest, EverySplitOfAReplyCompletes) {
  std::string reply = "*3\r\n" + Bulk(8) + Bulk(9) + Bulk(0);
  for (size_t split = 0; split < reply.size(); ++split) {
    ReplyVerifier verifier;
    verifier.Expect(Keys(), kMget8);
    std::string_view first = std::string_view(reply).substr(0, split);
    std::string_view second = std::string_view(reply).substr(split);
    ASSERT_EQ(verifier.Feed(&first), Verdict::kNeedMore) << split;
    ASSERT_TRUE(first.empty()) << split;
    ASSERT_EQ(verifier.Feed(&second), Verdict::kComplete) << split;
  }
}

TEST(ReplyVerifierTest, EveryDamagedByteIsNoticed) {
  for (size_t i = 0; i < Bulk(3).size(); ++i) {
    std::string reply = Bulk(3);
    reply[i] ^= 1;
    EXPECT_EQ(Judge(kGet3, reply).first, Verdict::kMismatch) << i;
  }
}

}  // namespace
}  // namespace weir::benchmark
