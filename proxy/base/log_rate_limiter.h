// Holds back the lines of one place in the code that come too often.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace weir {

// A token bucket: `lines_per_second` on average, as many at once after a quiet second. Kept as the
// moment up to which lines are paid for (the generic cell rate algorithm, ITU-T I.371), so that one
// atomic is all its state. Any thread may call Admit; time is a parameter and may jump back (then
// the bucket is full again). Usually a `static constinit` at the place that logs: see
// LOG_EVENT_LIMITED in log.h.
class LogRateLimiter {
 public:
  struct Admission {
    bool admitted;
    uint64_t suppressed;  // when admitted: how many were held back since the last that was admitted
  };

  // `lines_per_second` >= 1.
  constexpr explicit LogRateLimiter(int64_t lines_per_second = 10)
      : interval_nanos_(1'000'000'000 / lines_per_second) {}
  LogRateLimiter(const LogRateLimiter&) = delete;
  LogRateLimiter& operator=(const LogRateLimiter&) = delete;

  Admission Admit(absl::Time now);

 private:
  const int64_t interval_nanos_;        // what one line costs
  std::atomic<int64_t> paid_until_{0};  // nanoseconds since the epoch
  std::atomic<uint64_t> suppressed_{0};
};

}  // namespace weir
