#include "proxy/event/timer_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace weir {
namespace {

using std::chrono::milliseconds;

Moment At(int ms) { return Moment(milliseconds(ms)); }

TEST(TimerQueueTest, RunsExpiredTimersEarliestFirstAndLeavesTheOthers) {
  TimerQueue queue;
  std::vector<int> ran;
  std::vector<std::unique_ptr<Timer>> timers;
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    int due = static_cast<int>(random() % 1000);
    timers.push_back(std::make_unique<Timer>(queue, [&ran, due] { ran.push_back(due); }));
    timers.back()->ArmAt(At(due));
  }
  queue.RunExpired(At(500));
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
  EXPECT_LE(ran.back(), 500);
  EXPECT_GT(queue.next_deadline(), At(500));
  size_t first = ran.size();
  queue.RunExpired(At(1000));
  EXPECT_EQ(ran.size(), 200u);
  EXPECT_GT(first, 0u);
}

TEST(TimerQueueTest, MovingDisarmingAndDestroyingKeepTheOrder) {
  TimerQueue queue;
  int ran = 0;
  Timer moved(queue, [&] { ++ran; });
  moved.ArmAt(At(10));
  moved.ArmAt(At(30));
  Timer disarmed(queue, [&] { ++ran; });
  disarmed.ArmAt(At(5));
  disarmed.Disarm();
  {
    Timer gone(queue, [&] { ++ran; });
    gone.ArmAt(At(1));
  }
  queue.RunExpired(At(20));
  EXPECT_EQ(ran, 0);
  queue.RunExpired(At(30));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(queue.next_deadline(), kNever);
}

TEST(TimerQueueTest, ATimerThatRearmsItselfForNowDoesNotHoldTheLoop) {
  TimerQueue queue;
  int ran = 0;
  Timer* self = nullptr;
  Timer timer(queue, [&] {
    ++ran;
    self->ArmAt(At(0));
  });
  self = &timer;
  timer.ArmAt(At(0));
  queue.RunExpired(At(1));
  EXPECT_EQ(ran, 1);
}

TEST(TimerQueueTest, ACallbackMayDestroyItsOwner) {
  TimerQueue queue;
  std::unique_ptr<Timer> owner;
  owner = std::make_unique<Timer>(queue, [&] { owner.reset(); });
  owner->ArmAt(At(1));
  queue.RunExpired(At(1));
  EXPECT_EQ(owner, nullptr);
}

}  // namespace
}  // namespace weir
