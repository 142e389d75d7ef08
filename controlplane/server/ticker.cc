#include "controlplane/server/ticker.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace weir {
namespace {

// A longest sleep, so that a clock that was set back delays nothing for long.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

}  // namespace

Ticker::~Ticker() { Stop(); }

void Ticker::Start(Run run) {
  thread_ = std::thread([this, run = std::move(run)] { Loop(run); });
}

void Ticker::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Ticker::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Ticker::Loop(const Run& run) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    woken_ = false;
    lock.unlock();
    const absl::Time now = absl::Now();
    const absl::Duration sleep = std::min(run(now) - now, kLongestSleep);
    lock.lock();
    changed_.wait_for(lock, absl::ToChronoNanoseconds(sleep),
                      [this] { return woken_ || stopping_; });
  }
}

}  // namespace weir
