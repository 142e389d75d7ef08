// Timers of one event loop: a binary heap of timers that their owners hold.
//
// Used on the loop's thread only. A Timer is a member of the object it serves; destroying it
// disarms it. Arming, moving and disarming cost O(log n); nothing is allocated per use.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "proxy/base/clock.h"

namespace weir {

class TimerQueue;

class Timer {
 public:
  // `on_expired` runs on the loop's thread, after the timer was disarmed; it may arm it again.
  Timer(TimerQueue& queue, absl::AnyInvocable<void()> on_expired)
      : queue_(queue), on_expired_(std::move(on_expired)) {}
  ~Timer() { Disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Arms the timer, or moves it when it is armed.
  void ArmAt(Moment deadline);
  void Disarm();
  bool armed() const { return heap_index_ != kDisarmed; }
  Moment deadline() const { return deadline_; }

 private:
  friend class TimerQueue;
  static constexpr size_t kDisarmed = static_cast<size_t>(-1);

  TimerQueue& queue_;
  absl::AnyInvocable<void()> on_expired_;
  Moment deadline_ = kNever;
  size_t heap_index_ = kDisarmed;
};

class TimerQueue {
 public:
  TimerQueue() = default;
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // The earliest deadline, kNever when no timer is armed.
  Moment next_deadline() const { return heap_.empty() ? kNever : heap_.front()->deadline_; }
  // Runs timers whose deadline is `now` or earlier, earliest first, at most as many as are armed
  // when it is called. A callback may destroy its own timer's owner.
  void RunExpired(Moment now);

 private:
  friend class Timer;
  void Insert(Timer* timer);
  void Remove(Timer* timer);
  void Place(size_t index, Timer* timer);
  void SiftUp(size_t index);
  void SiftDown(size_t index);

  std::vector<Timer*> heap_;
};

}  // namespace weir
