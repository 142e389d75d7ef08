#include "controlplane/server/thread_pool.h"

#include <atomic>
#include <future>

#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(ThreadPoolTest, RunsAllThatWasTakenBeforeItEnds) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool(3, 100);
    for (int i = 0; i < 100; ++i) {
      while (!pool.TryAdd([&done] { ++done; })) std::this_thread::yield();
    }
  }
  EXPECT_EQ(done, 100);
}

TEST(ThreadPoolTest, RefusesWorkBeyondItsQueue) {
  std::promise<void> started;
  std::promise<void> release;
  ThreadPool pool(1, 1);
  ASSERT_TRUE(pool.TryAdd([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(pool.TryAdd([] {}));
  EXPECT_FALSE(pool.TryAdd([] { FAIL() << "ran although it was refused"; }));
  release.set_value();
}

}  // namespace
}  // namespace weir
