// Time on the data path: moments of the monotonic clock, read once a turn by the event loop and
// handed on from there. Pure types; configuration keeps absl::Duration.
#pragma once

#include <chrono>

namespace weir {

using Clock = std::chrono::steady_clock;
using Moment = Clock::time_point;
using Duration = Clock::duration;

// "Never": later than every moment that a clock gives.
inline constexpr Moment kNever = Moment::max();

// The moment `duration` later; kNever when the duration has no end.
inline Moment After(Moment moment, Duration duration) {
  return duration == Duration::max() ? kNever : moment + duration;
}

}  // namespace weir
