#include "controlplane/server/ticker.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "gtest/gtest.h"

namespace weir {
namespace {

// Counts runs; waits for the n-th.
class Runs {
 public:
  void Add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void WaitFor(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

TEST(TickerTest, RunsAtOnceAndWhenItIsWoken) {
  Runs runs;
  Ticker ticker;
  ticker.Start([&runs](Moment) {
    runs.Add();
    return kNever;
  });
  runs.WaitFor(1);
  ticker.Wake();
  runs.WaitFor(2);
}

TEST(TickerTest, RunsAgainAtTheMomentThatTheRunNamed) {
  Runs runs;
  Ticker ticker;
  Moment due;
  bool early = false;
  ticker.Start([&](Moment now) {
    early = early || now < due;
    due = now + std::chrono::milliseconds(1);
    runs.Add();
    return due;
  });
  runs.WaitFor(5);
  ticker.Stop();
  EXPECT_FALSE(early);
}

TEST(TickerTest, ARunThatWakesItRunsAgainAndNothingRunsAfterStop) {
  Runs runs;
  Ticker ticker;
  ticker.Wake();  // before Start: without effect that could be seen
  ticker.Start([&](Moment) {
    runs.Add();
    if (runs.count() < 3) ticker.Wake();
    return kNever;
  });
  runs.WaitFor(3);
  ticker.Stop();
  const int last = runs.count();
  ticker.Wake();
  EXPECT_EQ(runs.count(), last);
}

}  // namespace
}  // namespace weir
