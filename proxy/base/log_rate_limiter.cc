#include "proxy/base/log_rate_limiter.h"

#include <algorithm>

namespace weir {

LogRateLimiter::Admission LogRateLimiter::Admit(absl::Time now) {
  constexpr int64_t kBurstNanos = 1'000'000'000;
  const int64_t now_nanos = absl::ToUnixNanos(now);
  int64_t paid_until = paid_until_.load(std::memory_order_relaxed);
  int64_t next;
  do {
    // Never more than a second ahead of the clock, unless the clock was set back.
    const bool clock_went_back = paid_until > now_nanos + kBurstNanos;
    const int64_t from = clock_went_back ? now_nanos : std::max(paid_until, now_nanos);
    next = from + interval_nanos_;
    if (next > now_nanos + kBurstNanos) {
      suppressed_.fetch_add(1, std::memory_order_relaxed);
      return {.admitted = false, .suppressed = 0};
    }
  } while (!paid_until_.compare_exchange_weak(paid_until, next, std::memory_order_relaxed));
  return {.admitted = true, .suppressed = suppressed_.exchange(0, std::memory_order_relaxed)};
}

}  // namespace weir
