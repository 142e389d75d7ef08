// How long to wait before a control plane is tried again: doubling, up to a limit, with jitter, so
// that a fleet that lost its control plane does not come back all at once. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace weir {

class Backoff {
 public:
  static constexpr absl::Duration kFirst = absl::Milliseconds(500);
  static constexpr absl::Duration kLongest = absl::Seconds(30);

  explicit Backoff(uint64_t seed) : random_(seed) {}

  // A random half to whole of 0.5 s, 1 s, 2 s, … 30 s.
  absl::Duration Next() {
    const absl::Duration wait = Jitter(next_);
    next_ = std::min(2 * next_, kLongest);
    return wait;
  }
  // A random half to whole of `longest`.
  absl::Duration Jitter(absl::Duration longest) {
    return longest * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  }
  // Something worked for a moment: the next wait is no longer than this.
  void Limit(absl::Duration longest) { next_ = std::min(next_, longest); }
  // Something worked: from the beginning again.
  void Reset() { next_ = kFirst; }

 private:
  std::minstd_rand random_;
  absl::Duration next_ = kFirst;
};

}  // namespace weir
