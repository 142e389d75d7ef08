#include "controlplane/server/ticker.h"

#include <utility>

namespace weir {
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
    const Moment next = run(Clock::now());
    lock.lock();
    const auto is_woken = [this] { return woken_ || stopping_; };
    if (next == kNever) {
      changed_.wait(lock, is_woken);
    } else {
      changed_.wait_until(lock, next, is_woken);
    }
  }
}

}  // namespace weir
