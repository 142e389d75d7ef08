#include "proxy/event/stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace weir {
namespace {

struct RecordingOwner : StreamOwner {
  void OnBytes(std::string_view bytes) override { received.append(bytes); }
  void OnEnd() override { ended = true; }
  void OnStreamBroken(int error) override { broken = error; }
  void OnSent() override { ++sent_notices; }
  std::string received;
  bool ended = false;
  int broken = 0;
  int sent_notices = 0;
};

class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    peer_ = UniqueFd(fds[1]);
    stream_ = std::make_unique<Stream>(*loop_, pool_, Wrap(UniqueFd(fds[0])), owner_);
  }
  ~StreamTest() override { stream_.reset(); }

  virtual std::unique_ptr<Transport> Wrap(UniqueFd fd) {
    return std::make_unique<PlainTransport>(std::move(fd));
  }

  void Turn() { loop_->RunTurn(Duration::zero()); }
  std::string PeerReads() {
    std::string all;
    char buffer[65536];
    while (true) {
      ssize_t got = read(peer_.get(), buffer, sizeof(buffer));
      if (got <= 0) return all;
      all.append(buffer, static_cast<size_t>(got));
    }
  }

  ChunkPool pool_;
  std::unique_ptr<EventLoop> loop_ = CreateEventLoop();
  RecordingOwner owner_;
  UniqueFd peer_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(StreamTest, GathersWritesUntilTheEndOfTheTurn) {
  stream_->Write("a");
  stream_->Write("b");
  EXPECT_EQ(PeerReads(), "");
  Turn();
  EXPECT_EQ(PeerReads(), "ab");
  EXPECT_EQ(stream_->sent_bytes(), 2u);
  EXPECT_EQ(pool_.bytes_in_use(), 0u);
}

TEST_F(StreamTest, ALargePieceLeavesAtOnceBehindWhatIsQueued) {
  std::string large(Stream::kWriteThrough, 'x');
  stream_->Write("head");
  stream_->Write(large);
  EXPECT_EQ(PeerReads(), "head" + large);
}

TEST_F(StreamTest, WhatTheSocketDoesNotTakeIsKeptInOrder) {
  std::string expected;
  for (char letter : std::string("abcdefghij")) {
    std::string piece(100000, letter);
    stream_->Write(piece);
    stream_->Write("|");
    expected += piece + "|";
  }
  Turn();
  EXPECT_GT(stream_->unsent(), 0u);
  std::string got;
  while (got.size() < expected.size()) {
    got += PeerReads();
    Turn();
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(stream_->unsent(), 0u);
}

TEST_F(StreamTest, NotesWhenOutputThatHadToWaitWentOn) {
  stream_->Write("at once");
  Turn();
  stream_->Write(std::string(1'000'000, 'x'));
  Turn();
  ASSERT_GT(stream_->unsent(), 0u);
  EXPECT_EQ(stream_->went_on_at(), Moment());
  PeerReads();
  Turn();
  EXPECT_EQ(stream_->went_on_at(), loop_->now());
}

TEST_F(StreamTest, ReadsNothingWhilePausedAndTheRestAfterwards) {
  stream_->SetReading(false);
  ASSERT_EQ(write(peer_.get(), "hello", 5), 5);
  Turn();
  EXPECT_EQ(owner_.received, "");
  stream_->SetReading(true);
  Turn();
  EXPECT_EQ(owner_.received, "hello");
}

TEST_F(StreamTest, StillWritesAfterThePeerHasSentItsLast) {
  shutdown(peer_.get(), SHUT_WR);
  Turn();
  EXPECT_TRUE(owner_.ended);
  stream_->Write("bye");
  Turn();
  EXPECT_EQ(PeerReads(), "bye");
  EXPECT_EQ(owner_.broken, 0);
}

TEST_F(StreamTest, TellsOnceThatThePeerIsGone) {
  peer_.Close();
  stream_->Write("lost");
  Turn();
  Turn();
  EXPECT_TRUE(owner_.broken == EPIPE || owner_.broken == ECONNRESET) << owner_.broken;
  EXPECT_TRUE(stream_->closed());
  stream_->Write("without effect");
  EXPECT_EQ(pool_.bytes_in_use(), 0u);
}

TEST_F(StreamTest, APausedStreamNoticesThatThePeerIsGone) {
  stream_->SetReading(false);
  peer_.Close();
  Turn();
  EXPECT_EQ(owner_.broken, ECONNRESET);
}

TEST_F(StreamTest, DropsUnsentBytesInTheMiddle) {
  stream_->Write("first second third");
  stream_->DropUnsent(6, 7);
  Turn();
  EXPECT_EQ(PeerReads(), "first third");
}

TEST_F(StreamTest, TellsOfProgressOnlyWhenAsked) {
  stream_->Write("a");
  Turn();
  EXPECT_EQ(owner_.sent_notices, 0);
  stream_->NotifySent(true);
  stream_->Write("b");
  Turn();
  EXPECT_EQ(owner_.sent_notices, 1);
}

// Takes all there is from its socket and gives two bytes a read, as one that decrypts may.
class HoldingTransport final : public Transport {
 public:
  explicit HoldingTransport(UniqueFd fd) : plain_(std::move(fd)) {}

  IoResult Read(std::span<char> into) override {
    if (held_.empty()) {
      const IoResult result = plain_.Read(into);
      if (result.status != IoResult::Status::kOk) return result;
      held_.assign(into.data(), result.bytes);
    }
    const size_t given = held_.copy(into.data(), 2);
    held_.erase(0, given);
    return {.bytes = given, .pending = !held_.empty()};
  }
  IoResult Write(std::span<const iovec> pieces) override { return plain_.Write(pieces); }
  void EndOutput() override { plain_.EndOutput(); }
  int fd() const override { return plain_.fd(); }

 private:
  PlainTransport plain_;
  std::string held_;
};

class HoldingStreamTest : public StreamTest {
 protected:
  std::unique_ptr<Transport> Wrap(UniqueFd fd) override {
    return std::make_unique<HoldingTransport>(std::move(fd));
  }
};

TEST_F(HoldingStreamTest, WhatTheTransportHoldsIsReadOnceATurnWithoutAnEvent) {
  ASSERT_EQ(write(peer_.get(), "abcdef", 6), 6);
  loop_->RunTurn(EventLoop::kForever);
  EXPECT_EQ(owner_.received, "ab");
  loop_->RunTurn(EventLoop::kForever);
  EXPECT_EQ(owner_.received, "abcd");
  loop_->RunTurn(EventLoop::kForever);
  EXPECT_EQ(owner_.received, "abcdef");
  EXPECT_EQ(stream_->received_bytes(), 6u);
  EXPECT_FALSE(loop_->owes_turn_end());
}

TEST_F(HoldingStreamTest, AnEventDoesNotHurryWhatTheTransportHolds) {
  ASSERT_EQ(write(peer_.get(), "abcdef", 6), 6);
  Turn();
  ASSERT_EQ(write(peer_.get(), "gh", 2), 2);
  Turn();
  EXPECT_EQ(owner_.received, "abcd");
  Turn();
  Turn();
  EXPECT_EQ(owner_.received, "abcdefgh");
}

TEST_F(HoldingStreamTest, APausedStreamGoesOnWithWhatTheTransportHolds) {
  ASSERT_EQ(write(peer_.get(), "abcdef", 6), 6);
  Turn();
  stream_->SetReading(false);
  for (int i = 0; i < 3; ++i) Turn();
  EXPECT_EQ(owner_.received, "ab");
  EXPECT_FALSE(loop_->owes_turn_end());
  stream_->SetReading(true);
  loop_->RunTurn(EventLoop::kForever);
  loop_->RunTurn(EventLoop::kForever);
  EXPECT_EQ(owner_.received, "abcdef");
}

TEST_F(HoldingStreamTest, TheEndComesBehindWhatTheTransportHolds) {
  ASSERT_EQ(write(peer_.get(), "abcd", 4), 4);
  peer_.Close();
  Turn();
  EXPECT_FALSE(owner_.ended);
  Turn();
  EXPECT_EQ(owner_.received, "abcd");
  Turn();
  EXPECT_TRUE(owner_.ended);
}

TEST_F(HoldingStreamTest, AClosedStreamReadsNothingOfWhatItsTransportHeld) {
  ASSERT_EQ(write(peer_.get(), "abcd", 4), 4);
  Turn();
  stream_->Close();
  Turn();
  EXPECT_EQ(owner_.received, "ab");
  EXPECT_EQ(owner_.broken, 0);
}

}  // namespace
}  // namespace weir
