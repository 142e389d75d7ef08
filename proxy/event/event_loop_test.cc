// What every event loop must do: the real one, and the fake one that other tests stand on.
#include "proxy/event/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "tests/support/fake_event_loop.h"

namespace {
std::atomic<int> clock_reads = 0;
std::vector<int> epoll_timeouts;  // only loops that a test runs on its own thread
}  // namespace

// These stand before the C library's, which the loop and the standard library's clocks call.
extern "C" int clock_gettime(clockid_t id, timespec* time) noexcept {
  if (id == CLOCK_MONOTONIC) ++clock_reads;
  return static_cast<int>(syscall(SYS_clock_gettime, id, time));
}

extern "C" int epoll_wait(int epoll, epoll_event* events, int size, int timeout) {
  epoll_timeouts.push_back(timeout);
  return static_cast<int>(syscall(SYS_epoll_pwait, epoll, events, size, timeout, nullptr, 0));
}

namespace weir {
namespace {

struct SocketPair {
  SocketPair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    a = UniqueFd(fds[0]);
    b = UniqueFd(fds[1]);
  }
  UniqueFd a;
  UniqueFd b;
};

struct LoopKind {
  std::string name;
  std::unique_ptr<EventLoop> (*create)();
};

class EventLoopTest : public testing::TestWithParam<LoopKind> {};

struct RecordingHandler : IoHandler {
  void OnReady(Readiness ready) override { seen.push_back(ready); }
  std::vector<Readiness> seen;
};

TEST_P(EventLoopTest, ReportsReadinessByInterest) {
  auto loop = GetParam().create();
  SocketPair pair;
  RecordingHandler handler;
  loop->Watch(pair.a.get(), Interest::kRead, &handler);
  loop->RunTurn(Duration::zero());
  EXPECT_TRUE(handler.seen.empty());
  ASSERT_EQ(write(pair.b.get(), "x", 1), 1);
  loop->RunTurn(EventLoop::kForever);
  ASSERT_EQ(handler.seen.size(), 1u);
  EXPECT_TRUE(handler.seen[0].readable);
  EXPECT_FALSE(handler.seen[0].writable);
  loop->ChangeInterest(pair.a.get(), Interest::kWrite, &handler);
  loop->RunTurn(EventLoop::kForever);
  EXPECT_TRUE(handler.seen[1].writable);
  EXPECT_FALSE(handler.seen[1].readable);
  loop->Unwatch(pair.a.get());
  loop->RunTurn(Duration::zero());
  EXPECT_EQ(handler.seen.size(), 2u);
}

TEST_P(EventLoopTest, MessagesFromOtherThreadsRunInOrderOnTheLoop) {
  auto loop = GetParam().create();
  std::vector<int> ran;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop->Post([&ran, i] { ran.push_back(i); });
    loop->Post([&] { loop->Stop(); });
  });
  loop->Run();
  other.join();
  ASSERT_EQ(ran.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[i], i);
}

struct CountingTurnEnd : TurnEndHandler {
  void OnTurnEnd() override { ++count; }
  int count = 0;
};

TEST_P(EventLoopTest, TurnEndHandlersRunOncePerTurnHoweverOftenScheduled) {
  auto loop = GetParam().create();
  CountingTurnEnd handler;
  loop->AtTurnEnd(&handler);
  loop->AtTurnEnd(&handler);
  loop->RunTurn(EventLoop::kForever);
  EXPECT_EQ(handler.count, 1);
  loop->RunTurn(Duration::zero());
  EXPECT_EQ(handler.count, 1);
}

// Asks for the end of the turn again each time.
struct RestlessHandler : TurnEndHandler {
  explicit RestlessHandler(EventLoop& event_loop) : loop(event_loop) { loop.AtTurnEnd(this); }
  void OnTurnEnd() override {
    ++count;
    if (count < 1000) loop.AtTurnEnd(this);
  }
  EventLoop& loop;
  int count = 0;
};

TEST_P(EventLoopTest, AHandlerThatAsksForTheTurnsEndAgainAndAgainLetsTheTurnEnd) {
  auto loop = GetParam().create();
  RestlessHandler handler(*loop);
  bool ran = false;
  loop->RunTurn(EventLoop::kForever);
  EXPECT_EQ(handler.count, EventLoop::kTurnEndRounds);
  loop->Post([&] { ran = true; });
  loop->RunTurn(EventLoop::kForever);
  EXPECT_TRUE(ran);
  EXPECT_EQ(handler.count, 2 * EventLoop::kTurnEndRounds);
  // The rest waits for no event.
  while (handler.count < 1000) loop->RunTurn(EventLoop::kForever);
}

TEST_P(EventLoopTest, AHandlerThatEndsWhileItWaitsForTheNextTurnIsNotTold) {
  auto loop = GetParam().create();
  auto handler = std::make_unique<RestlessHandler>(*loop);
  CountingTurnEnd other;
  loop->RunTurn(EventLoop::kForever);
  loop->AtTurnEnd(&other);
  loop->DeleteLater(std::move(handler));
  loop->RunTurn(EventLoop::kForever);
  loop->RunTurn(Duration::zero());
  EXPECT_EQ(other.count, 1);
}

TEST_P(EventLoopTest, DeletesLaterButInTheSameTurn) {
  auto loop = GetParam().create();
  auto object = std::make_shared<int>(1);
  std::weak_ptr<int> alive = object;
  auto holder = std::make_unique<std::shared_ptr<int>>(std::move(object));
  loop->DeleteLater(std::move(holder));
  EXPECT_FALSE(alive.expired());
  loop->RunTurn(EventLoop::kForever);
  EXPECT_TRUE(alive.expired());
}

TEST_P(EventLoopTest, TimersRunWhenTheirMomentHasCome) {
  auto loop = GetParam().create();
  bool ran = false;
  Timer timer(loop->timers(), [&] { ran = true; });
  timer.ArmAt(loop->now() + std::chrono::milliseconds(3));
  while (!ran) loop->RunTurn(EventLoop::kForever);
  EXPECT_GE(loop->now(), timer.deadline());
}

TEST(FakeEventLoopTest, AWaitForATimerEndsAtItsMoment) {
  FakeEventLoop loop;
  bool ran = false;
  Timer timer(loop.timers(), [&] { ran = true; });
  timer.ArmAt(loop.now() + std::chrono::hours(1));
  loop.RunTurn(EventLoop::kForever);
  EXPECT_TRUE(ran);
  EXPECT_EQ(loop.now(), timer.deadline());
}

TEST(EpollLoopTest, ATurnReadsTheClockOnceAlsoWhileATimerIsArmed) {
  auto loop = CreateEventLoop();
  SocketPair pair;
  RecordingHandler handler;
  loop->Watch(pair.a.get(), Interest::kRead, &handler);
  ASSERT_EQ(write(pair.b.get(), "x", 1), 1);
  Timer timer(loop->timers(), [] {});
  timer.ArmAt(loop->now() + std::chrono::hours(1));
  clock_reads = 0;
  for (int turn = 0; turn < 10; ++turn) loop->RunTurn(EventLoop::kForever);
  EXPECT_EQ(clock_reads, 10);
  EXPECT_EQ(handler.seen.size(), 10u);
  loop->Unwatch(pair.a.get());
}

TEST(EpollLoopTest, TheFirstTurnOfRunDoesNotWaitByAMomentAsOldAsTheLoop) {
  auto loop = CreateEventLoop();
  Timer timer(loop->timers(), [] {});
  timer.ArmAt(loop->now() + std::chrono::hours(1));
  loop->Post([&] { loop->Stop(); });
  epoll_timeouts.clear();
  loop->Run();
  EXPECT_EQ(epoll_timeouts, std::vector<int>{0});
}

// Takes the other's socket away in the turn in which both are ready.
struct UnwatchingHandler : IoHandler {
  void OnReady(Readiness ready) override {
    ++calls;
    if (other_fd < 0) return;
    loop->Unwatch(std::exchange(other_fd, -1));
  }
  EventLoop* loop = nullptr;
  int other_fd = -1;
  int calls = 0;
};

TEST_P(EventLoopTest, AHandlerMayUnwatchAnotherThatIsReadyToo) {
  auto loop = GetParam().create();
  SocketPair first;
  SocketPair second;
  UnwatchingHandler handlers[2];
  handlers[0].loop = handlers[1].loop = loop.get();
  loop->Watch(first.a.get(), Interest::kRead, &handlers[0]);
  loop->Watch(second.a.get(), Interest::kRead, &handlers[1]);
  handlers[0].other_fd = second.a.get();
  ASSERT_EQ(write(first.b.get(), "x", 1), 1);
  ASSERT_EQ(write(second.b.get(), "x", 1), 1);
  loop->RunTurn(EventLoop::kForever);
  // Either order of the two is allowed, and a handler that was unwatched lives to the turn's end.
  const int told_of_second = handlers[1].calls;
  EXPECT_EQ(handlers[0].calls, 1);
  EXPECT_LE(told_of_second, 1);
  loop->RunTurn(Duration::zero());
  EXPECT_EQ(handlers[0].calls, 2);
  EXPECT_EQ(handlers[1].calls, told_of_second);
  loop->Unwatch(first.a.get());
}

TEST_P(EventLoopTest, ReportsAPeerThatIsGoneWhateverTheInterest) {
  auto loop = GetParam().create();
  SocketPair pair;
  RecordingHandler handler;
  loop->Watch(pair.a.get(), Interest::kNone, &handler);
  pair.b.Close();
  loop->RunTurn(EventLoop::kForever);
  ASSERT_EQ(handler.seen.size(), 1u);
  EXPECT_TRUE(handler.seen[0].broken);
  loop->Unwatch(pair.a.get());
}

INSTANTIATE_TEST_SUITE_P(Loops, EventLoopTest,
                         testing::Values(LoopKind{"Epoll", CreateEventLoop},
                                         LoopKind{"Fake",
                                                  []() -> std::unique_ptr<EventLoop> {
                                                    return std::make_unique<FakeEventLoop>();
                                                  }}),
                         [](const testing::TestParamInfo<LoopKind>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace weir
