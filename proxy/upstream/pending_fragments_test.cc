#include "proxy/upstream/pending_fragments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Moment At(int second) { return Moment(seconds(second)); }

class PendingFragmentsTest : public testing::Test, private ReplySink {
 protected:
  // The n-th fragment: ten bytes, due in second n + 1.
  void Push(size_t n) { pending_.Push(&f_[n], 10, At(static_cast<int>(n) + 1)); }
  void PushAll() {
    for (size_t n = 0; n < f_.size(); ++n) Push(n);
  }
  std::vector<std::string> Events() { return std::exchange(events_, {}); }

  PoolStats pool_stats_;
  ShardStats stats_;
  PendingFragments pending_{*this, pool_stats_, stats_};
  std::array<Fragment, 4> f_;

 private:
  void OnReplyParts(std::span<const ReplyPart>) override {}
  void OnFragmentFailed(Fragment* fragment, Failure failure) override {
    const bool unsent = failure == Failure::kTimedOutUnsent;
    events_.push_back(StrCat(fragment - f_.data(), unsent ? " dropped" : " failed"));
  }
  void OnFragmentReleased(Fragment* fragment) override {
    events_.push_back(StrCat(fragment - f_.data(), " released"));
  }
  std::vector<std::string> events_;
};

TEST_F(PendingFragmentsTest, EachHasItsPlaceInTheOutput) {
  PushAll();
  EXPECT_EQ(f_[0].begin_position(), 0u);
  EXPECT_EQ(f_[3].begin_position(), 30u);
  pending_.Extend(5);
  EXPECT_EQ(f_[3].end_position, 45u);
  EXPECT_EQ(f_[3].begin_position(), 30u);
  EXPECT_EQ(pending_.end_position(), 45u);
  pending_.FailAll(Failure::kReset);
}

TEST_F(PendingFragmentsTest, AReplyThatIsWantedIsTheCallersToPassOn) {
  PushAll();
  pending_.FinishHead();
  EXPECT_EQ(f_[0].state, FragmentState::kDone);
  EXPECT_EQ(pending_.head(), &f_[1]);
  EXPECT_THAT(Events(), IsEmpty());
  pending_.FailAll(Failure::kReset);
  EXPECT_THAT(Events(), ElementsAre("1 failed", "2 failed", "3 failed"));
}

TEST_F(PendingFragmentsTest, WhatWasWrittenIsReleasedByItsLateReplyAndTheRestIsDropped) {
  PushAll();
  // The second one is half written.
  EXPECT_EQ(pending_.ExpireWritten(At(3), /*sent=*/15), At(2));
  EXPECT_THAT(Events(), ElementsAre("0 failed", "1 failed"));
  EXPECT_EQ(pool_stats_.late_replies_awaited.Get(), 2);
  const FragmentRange due = pending_.TakeDue(At(3));
  EXPECT_EQ(due.first, &f_[2]);
  EXPECT_EQ(due.bytes, 10u);
  pending_.Drop(due);
  EXPECT_THAT(Events(), ElementsAre("2 dropped"));
  // The output in front of the gap has moved up to it: five bytes of the second are missing still.
  EXPECT_EQ(f_[1].end_position, 30u);
  EXPECT_EQ(f_[3].begin_position(), 30u);
  EXPECT_EQ(pending_.next_deadline(), At(4));
  pending_.FinishHead();
  EXPECT_THAT(Events(), ElementsAre("0 released"));
  EXPECT_EQ(pool_stats_.late_replies_awaited.Get(), 1);
  pending_.FailAll(Failure::kReset);
  EXPECT_THAT(Events(), ElementsAre("1 released", "3 failed"));
  EXPECT_EQ(pool_stats_.late_replies_awaited.Get(), 0);
}

TEST_F(PendingFragmentsTest, AReplyThatHasBegunToFlowDoesNotExpire) {
  Push(0);
  f_[0].passed_on = true;
  EXPECT_EQ(pending_.ExpireWritten(At(1), /*sent=*/10), Moment::min());
  EXPECT_EQ(pending_.next_deadline(), kNever);
  EXPECT_EQ(f_[0].state, FragmentState::kPending);
  pending_.FinishHead();
}

TEST_F(PendingFragmentsTest, ShortensDeadlinesSaveThatOfTheOpenRequest) {
  PushAll();
  pending_.ShortenDeadlines(At(2), &f_[3]);
  EXPECT_EQ(f_[0].deadline, At(1));
  EXPECT_EQ(f_[2].deadline, At(2));
  EXPECT_EQ(f_[3].deadline, At(4));
  pending_.FailAll(Failure::kReset);
}

TEST_F(PendingFragmentsTest, GaugesFollowTheConnection) {
  Push(0);
  Push(1);
  EXPECT_EQ(stats_.in_queue.Get(), 2);
  EXPECT_EQ(stats_.in_queue_bytes.Get(), 20);
  pending_.CountAsSent(true);
  pending_.Extend(3);
  EXPECT_EQ(stats_.in_queue.Get(), 0);
  EXPECT_EQ(stats_.in_queue_bytes.Get(), 0);
  EXPECT_EQ(stats_.out_queue.Get(), 2);
  EXPECT_EQ(stats_.out_queue_bytes.Get(), 23);
  pending_.FinishHead();
  pending_.FailAll(Failure::kReset);
  EXPECT_EQ(stats_.out_queue.Get(), 0);
  EXPECT_EQ(stats_.out_queue_bytes.Get(), 0);
}

}  // namespace
}  // namespace weir
