#include "proxy/event/event_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>
#include <vector>

#include "proxy/event/unique_fd.h"

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

struct RecordingHandler : IoHandler {
  void OnReady(Readiness ready) override { seen.push_back(ready); }
  std::vector<Readiness> seen;
};

TEST(EventLoopTest, ReportsReadinessByInterest) {
  auto loop = CreateEventLoop();
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

TEST(EventLoopTest, MessagesFromOtherThreadsRunInOrderOnTheLoop) {
  auto loop = CreateEventLoop();
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

TEST(EventLoopTest, TurnEndHandlersRunOncePerTurnHoweverOftenScheduled) {
  auto loop = CreateEventLoop();
  CountingTurnEnd handler;
  loop->AtTurnEnd(&handler);
  loop->AtTurnEnd(&handler);
  loop->RunTurn(EventLoop::kForever);
  EXPECT_EQ(handler.count, 1);
  loop->RunTurn(Duration::zero());
  EXPECT_EQ(handler.count, 1);
}

TEST(EventLoopTest, DeletesLaterButInTheSameTurn) {
  auto loop = CreateEventLoop();
  auto object = std::make_shared<int>(1);
  std::weak_ptr<int> alive = object;
  auto holder = std::make_unique<std::shared_ptr<int>>(std::move(object));
  loop->DeleteLater(std::move(holder));
  EXPECT_FALSE(alive.expired());
  loop->RunTurn(EventLoop::kForever);
  EXPECT_TRUE(alive.expired());
}

TEST(EventLoopTest, TimersRunWhenTheirMomentHasCome) {
  auto loop = CreateEventLoop();
  bool ran = false;
  Timer timer(loop->timers(), [&] { ran = true; });
  timer.ArmAt(loop->now() + std::chrono::milliseconds(3));
  while (!ran) loop->RunTurn(EventLoop::kForever);
  EXPECT_GE(loop->now(), timer.deadline());
}

}  // namespace
}  // namespace weir
