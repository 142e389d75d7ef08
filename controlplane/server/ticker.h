// Ticker: the thread on which time passes. It runs a function when the moment comes that the
// function named last, or at once when it is woken.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "proxy/base/clock.h"

namespace weir {

class Ticker {
 public:
  // Takes the time, returns when it is to run next (kNever: when woken).
  using Run = std::function<Moment(Moment now)>;

  Ticker() = default;
  // Ends the thread as Stop does.
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // Runs `run` at once, then as said. Once.
  void Start(Run run);
  // Any thread, also before Start and after Stop, also `run` itself.
  void Wake();
  // Waits for a run that is under way. Not from `run`.
  void Stop();

 private:
  void Loop(const Run& run);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir
