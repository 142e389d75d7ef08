#include "proxy/upstream/pending_queue.h"

#include <gtest/gtest.h>

#include <array>

namespace weir {
namespace {

class PendingQueueTest : public testing::Test {
 protected:
  PendingQueueTest() {
    for (Fragment& fragment : f) queue.Push(&fragment);
  }

  std::array<Fragment, 4> f;
  PendingQueue queue;
};

TEST_F(PendingQueueTest, GivesThemBackInOrder) {
  for (Fragment& fragment : f) {
    EXPECT_EQ(queue.first_live(), &fragment);
    EXPECT_EQ(queue.PopHead(), &fragment);
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.tail(), nullptr);
  queue.Push(f.data());
  EXPECT_EQ(queue.head(), f.data());
}

TEST_F(PendingQueueTest, ThoseThatArePassedStayInPlace) {
  queue.PassFirstLive();
  queue.PassFirstLive();
  EXPECT_EQ(queue.first_live(), &f[2]);
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.PopHead(), f.data());
  EXPECT_EQ(queue.first_live(), &f[2]);
  EXPECT_EQ(queue.PopHead(), &f[1]);
  EXPECT_EQ(queue.first_live(), &f[2]) << "the passed ones are gone, the head is live again";
}

TEST_F(PendingQueueTest, TakesWhatIsDueAsOneRange) {
  for (int i = 0; i < 4; ++i) {
    f[i].deadline = Moment(std::chrono::seconds(i));
    f[i].bytes = 10;
  }
  queue.PassFirstLive();
  const FragmentRange range = queue.TakeDue(Moment(std::chrono::seconds(2)));
  EXPECT_EQ(range.first, &f[1]);
  EXPECT_EQ(f[1].next, &f[2]);
  EXPECT_EQ(f[2].next, nullptr);
  EXPECT_EQ(range.bytes, 20u);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.last_passed(), f.data());
  EXPECT_EQ(queue.first_live(), &f[3]);
  EXPECT_EQ(queue.TakeDue(Moment(std::chrono::seconds(2))).first, nullptr);
}

TEST_F(PendingQueueTest, TakesTheHeadWhenNoneWasPassed) {
  f[0].deadline = Moment(std::chrono::seconds(1));
  EXPECT_EQ(queue.TakeDue(Moment(std::chrono::seconds(1))).first, f.data());
  EXPECT_EQ(queue.head(), &f[1]);
}

TEST_F(PendingQueueTest, GoesOnWhenAllBehindThePassedOnesIsTaken) {
  for (Fragment& fragment : f) fragment.deadline = Moment(std::chrono::seconds(1));
  queue.PassFirstLive();
  EXPECT_EQ(queue.TakeDue(Moment(std::chrono::seconds(1))).first, &f[1]);
  EXPECT_EQ(queue.first_live(), nullptr);
  EXPECT_EQ(queue.tail(), f.data());
  queue.Push(&f[2]);
  EXPECT_EQ(queue.first_live(), &f[2]);
  EXPECT_EQ(queue.size(), 2u);
}

TEST_F(PendingQueueTest, TakesAllAsOneChain) {
  queue.PassFirstLive();
  Fragment* chain = queue.TakeAll();
  for (Fragment& fragment : f) {
    ASSERT_EQ(chain, &fragment);
    chain = chain->next;
  }
  EXPECT_EQ(chain, nullptr);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.first_live(), nullptr);
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace weir
