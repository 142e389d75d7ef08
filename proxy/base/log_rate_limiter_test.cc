#include "proxy/base/log_rate_limiter.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

int AdmittedOf(LogRateLimiter& limiter, int lines, absl::Time now) {
  int admitted = 0;
  for (int i = 0; i < lines; ++i) admitted += limiter.Admit(now).admitted ? 1 : 0;
  return admitted;
}

TEST(LogRateLimiterTest, AdmitsASecondsWorthAtOnceThenNoMore) {
  LogRateLimiter limiter(10);
  EXPECT_EQ(AdmittedOf(limiter, 25, kStart), 10);
  EXPECT_EQ(AdmittedOf(limiter, 25, kStart), 0);
}

TEST(LogRateLimiterTest, OneTokenComesBackEveryTenthOfASecond) {
  LogRateLimiter limiter(10);
  AdmittedOf(limiter, 10, kStart);
  EXPECT_EQ(AdmittedOf(limiter, 5, kStart + absl::Milliseconds(99)), 0);
  EXPECT_EQ(AdmittedOf(limiter, 5, kStart + absl::Milliseconds(100)), 1);
  EXPECT_EQ(AdmittedOf(limiter, 5, kStart + absl::Milliseconds(400)), 3);
}

TEST(LogRateLimiterTest, AQuietHourSavesNoMoreThanOneSecond) {
  LogRateLimiter limiter(10);
  AdmittedOf(limiter, 10, kStart);
  EXPECT_EQ(AdmittedOf(limiter, 100, kStart + absl::Hours(1)), 10);
}

TEST(LogRateLimiterTest, TheNextAdmittedLineCarriesTheNumberHeldBack) {
  LogRateLimiter limiter(1);
  EXPECT_EQ(limiter.Admit(kStart).suppressed, 0u);
  for (int i = 0; i < 7; ++i) limiter.Admit(kStart);
  const LogRateLimiter::Admission next = limiter.Admit(kStart + absl::Seconds(1));
  EXPECT_TRUE(next.admitted);
  EXPECT_EQ(next.suppressed, 7u);
  EXPECT_EQ(limiter.Admit(kStart + absl::Seconds(2)).suppressed, 0u);
}

TEST(LogRateLimiterTest, AClockSetBackDoesNotSilenceTheLog) {
  LogRateLimiter limiter(10);
  AdmittedOf(limiter, 10, kStart);
  EXPECT_EQ(AdmittedOf(limiter, 20, kStart - absl::Hours(1)), 10);
}

}  // namespace
}  // namespace weir
