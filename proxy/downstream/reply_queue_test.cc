// Replies as parts, in any order; what leaves for the client and what is gathered.
#include "proxy/downstream/reply_queue.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <string_view>

#include "proxy/event/stream.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

class ReplyQueueTest : public testing::Test, public StreamOwner {
 protected:
  ReplyQueueTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client_ = UniqueFd(fds[1]);
    output_ = std::make_unique<Stream>(h_.loop(), h_.context().chunks,
                                       std::make_unique<PlainTransport>(UniqueFd(fds[0])), *this);
    queue_ = std::make_unique<ReplyQueue>(h_.context(), *output_);
  }
  ~ReplyQueueTest() override {
    queue_->Clear();
    output_->Close();
    h_.Settle();  // the stream may wait for the end of the turn
  }

  Request* Add(bool silent = false) { return queue_->Add(/*session=*/nullptr, silent); }
  Request* AddSplit(size_t fragments) {
    Request* request = Add();
    Split& split = h_.context().requests.AddSplit(request);
    split.merge = Merge::kSum;
    split.fragments.resize(fragments);
    split.remaining = static_cast<uint32_t>(fragments);
    return request;
  }
  // Bytes of a reply; true when they were passed on.
  bool Part(Request* request, Fragment& fragment, std::string_view bytes, bool last) {
    const ReplyPart part = {
        .fragment = &fragment, .bytes = bytes, .last = last, .announced = 0, .connection = nullptr};
    const bool passed_on = queue_->Take(request, part);
    if (last && queue_->FinishFragment(request)) queue_->EmitDone();
    return passed_on;
  }
  bool Whole(Request* request, std::string_view bytes) {
    return Part(request, request->fragment, bytes, /*last=*/true);
  }
  // What has left since the last call.
  std::string Left() {
    h_.Settle();
    char buffer[1 << 16];
    const ssize_t got = recv(client_.get(), buffer, sizeof(buffer), 0);
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
  }

  SessionHarness h_;
  UniqueFd client_;
  std::unique_ptr<Stream> output_;
  std::unique_ptr<ReplyQueue> queue_;

 private:
  void OnBytes(std::string_view bytes) override {}
  void OnEnd() override {}
  void OnStreamBroken(int error) override {}
  void OnSent() override {}
};

TEST_F(ReplyQueueTest, ReplyOfTheHeadPassesAndThoseBehindItAreGatheredUntilTheirTurn) {
  Request* first = Add();
  Request* second = Add();
  EXPECT_FALSE(Whole(second, ":2\r\n"));
  EXPECT_EQ(queue_->gathered_bytes(), 4u);
  EXPECT_EQ(Left(), "");
  EXPECT_TRUE(Whole(first, ":1\r\n"));
  EXPECT_EQ(Left(), ":1\r\n:2\r\n");
  EXPECT_EQ(queue_->gathered_bytes(), 0u);
  EXPECT_TRUE(queue_->empty());
}

TEST_F(ReplyQueueTest, ASmallReplyPassesOnlyWhole) {
  Request* request = Add();
  EXPECT_FALSE(Part(request, request->fragment, ":1", /*last=*/false));
  EXPECT_EQ(Left(), "");
  EXPECT_TRUE(Part(request, request->fragment, "2\r\n", /*last=*/true));
  EXPECT_EQ(Left(), ":12\r\n");
}

TEST_F(ReplyQueueTest, ALargeReplyPassesAsItArrives) {
  Request* request = Add();
  const std::string half(ReplyQueue::kGatherBytes + 1, 'x');
  EXPECT_TRUE(Part(request, request->fragment, half, /*last=*/false));
  EXPECT_EQ(Left(), half);
  EXPECT_TRUE(Part(request, request->fragment, "\r\n", /*last=*/true));
  EXPECT_EQ(Left(), "\r\n");
}

TEST_F(ReplyQueueTest, AFailureTakesThePlaceOfWhatWasGathered) {
  Request* first = Add();
  Request* second = Add();
  Part(second, second->fragment, "$100\r\nhalf", /*last=*/false);
  queue_->Fail(second, &second->fragment, Failure::kReset);
  EXPECT_FALSE(queue_->FinishFragment(second)) << "it is not the head";
  Whole(first, ":1\r\n");
  EXPECT_TRUE(Left().starts_with(":1\r\n-ERR Connection reset by peer"));
  EXPECT_EQ(queue_->gathered_bytes(), 0u);
}

TEST_F(ReplyQueueTest, ASplitRequestIsMergedWhenItsLastFragmentIsThere) {
  Request* request = AddSplit(2);
  Part(request, request->split->fragments[1], ":2\r\n", /*last=*/true);
  EXPECT_EQ(Left(), "");
  Part(request, request->split->fragments[0], ":40\r\n", /*last=*/true);
  EXPECT_EQ(Left(), ":42\r\n");
  EXPECT_EQ(queue_->gathered_bytes(), 0u);
}

TEST_F(ReplyQueueTest, ASilentRequestKeepsItsPlaceAndSaysNothing) {
  Request* silent = Add(/*silent=*/true);
  Request* second = Add();
  Whole(second, ":2\r\n");
  EXPECT_EQ(Left(), "");
  EXPECT_FALSE(Whole(silent, ":1\r\n"));
  EXPECT_EQ(Left(), ":2\r\n");
}

TEST_F(ReplyQueueTest, HasNoRoomUntilItIsEmptyWhenToldSo) {
  queue_->WaitUntilEmpty();
  EXPECT_TRUE(queue_->HasRoom()) << "it is empty";
  Request* first = Add();
  Request* second = Add();
  queue_->WaitUntilEmpty();
  EXPECT_FALSE(queue_->HasRoom());
  Whole(first, ":1\r\n");
  EXPECT_FALSE(queue_->HasRoom());
  Whole(second, ":2\r\n");
  EXPECT_TRUE(queue_->HasRoom());
}

TEST_F(ReplyQueueTest, ClearedItHoldsNothing) {
  Request* request = Add();
  AddSplit(2);
  Part(request, request->fragment, "$100\r\nhalf", /*last=*/false);
  queue_->Clear();
  EXPECT_TRUE(queue_->empty());
  EXPECT_EQ(h_.requests().in_use(), 0u);
  EXPECT_EQ(h_.chunks().bytes_in_use(), 0u);
}

}  // namespace
}  // namespace weir
