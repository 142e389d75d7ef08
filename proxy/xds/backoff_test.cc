#include "proxy/xds/backoff.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(BackoffTest, WaitsDoubleUpToALimitAndBeginAgainAfterAReset) {
  Backoff backoff(1);
  absl::Duration longest = Backoff::kFirst;
  for (int i = 0; i < 10; ++i) {
    const absl::Duration wait = backoff.Next();
    EXPECT_GE(wait, longest / 2) << i;
    EXPECT_LE(wait, longest) << i;
    longest = std::min(2 * longest, Backoff::kLongest);
  }
  EXPECT_EQ(longest, Backoff::kLongest);
  backoff.Reset();
  EXPECT_LE(backoff.Next(), Backoff::kFirst);
}

TEST(BackoffTest, AControlPlaneThatAnswersForAMomentAgainAndAgainIsNotWaitedForLong) {
  Backoff backoff(1);
  constexpr absl::Duration kLimit = absl::Seconds(4);
  for (int i = 0; i < 10; ++i) {
    backoff.Limit(kLimit);
    EXPECT_LE(backoff.Next(), kLimit) << i;
  }
  EXPECT_GT(backoff.Next(), kLimit / 2);  // without an answer waits grow on
}

TEST(BackoffTest, TwoProxiesWaitForDifferentTimes) {
  EXPECT_NE(Backoff(1).Next(), Backoff(2).Next());
}

}  // namespace
}  // namespace weir
