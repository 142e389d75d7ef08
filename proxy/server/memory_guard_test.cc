#include "proxy/server/memory_guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "tests/support/fake_event_loop.h"

namespace weir {
namespace {

constexpr size_t kMiB = 1 << 20;

// A worker whose sessions hold as many bytes as the test says.
class FakeWorker final : private SessionsOfWorker {
 public:
  explicit FakeWorker(ProcessMemory& memory) : memory_(memory) { memory.Add(pool_); }
  // When all workers are known.
  void Start() {
    SessionsOfWorker& sessions = *this;
    guard_ = std::make_unique<MemoryGuard>(loop_, pool_, memory_, sessions);
  }

  void Hold(size_t session, size_t bytes) {
    sessions_.resize(std::max(sessions_.size(), session + 1));
    sessions_[session].Append(pool_, std::string(bytes, 'x'));
  }
  void Release(size_t session) { sessions_[session].Clear(); }
  void Turn() { loop_.RunTurn(Duration::zero()); }
  void After(Duration time) {
    loop_.Advance(time);
    Turn();
  }

  // Bytes that a session is to hold until the end of the turn, which is asked for after them.
  void HoldUntilTurnEnd(size_t session, size_t bytes) {
    Hold(session, bytes);
    flush_.session = &sessions_[session];
    loop_.AtTurnEnd(&flush_);
  }

  bool pressure() const { return pressure_; }
  bool scarce() const { return pool_.scarce(); }
  const std::vector<size_t>& closed() const { return closed_; }
  void SetPoolLimit(uint64_t limit) { guard_->SetPoolLimit(limit); }
  // What the pools were told last; 0: nothing yet.
  uint64_t told() const { return told_; }
  bool watches() { return loop_.timers().next_deadline() != kNever; }

 private:
  void SetMemoryPressure(bool pressure) override { pressure_ = pressure; }
  bool CloseLargestSession() override {
    auto largest = std::ranges::max_element(sessions_, {}, &ByteQueue::size);
    if (largest == sessions_.end() || largest->empty()) return false;
    closed_.push_back(static_cast<size_t>(largest - sessions_.begin()));
    largest->Clear();
    return true;
  }

  void KeepPoolLimits(uint64_t bytes_in_use) override { told_ = bytes_in_use; }

  // As a stream whose client takes all at once.
  struct Flush final : TurnEndHandler {
    void OnTurnEnd() override { session->Clear(); }
    ByteQueue* session = nullptr;
  };

  ProcessMemory& memory_;
  FakeEventLoop loop_;
  ChunkPool pool_;
  Flush flush_;
  std::vector<ByteQueue> sessions_;
  std::unique_ptr<MemoryGuard> guard_;
  bool pressure_ = false;
  std::vector<size_t> closed_;
  uint64_t told_ = 0;
};

void IsToldOfMuch(FakeWorker& worker) {
  worker.Start();
  worker.SetPoolLimit(4 * kMiB);
  worker.Hold(0, 5 * kMiB);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_GE(worker.told(), 5 * kMiB);
}

TEST(MemoryGuardTest, SetsPressureFrom80PercentAndLiftsItBelow70) {
  ProcessMemory memory(100 * kMiB, [] {});
  FakeWorker worker(memory);
  worker.Start();
  worker.Hold(0, 60 * kMiB);
  worker.Turn();
  EXPECT_FALSE(worker.pressure());
  worker.Hold(1, 15 * kMiB);
  worker.Hold(2, 8 * kMiB);
  worker.Turn();
  EXPECT_TRUE(worker.pressure());
  worker.Release(2);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_TRUE(worker.pressure()) << "75 % is not far enough below";
  worker.Release(1);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_FALSE(worker.pressure());
  EXPECT_TRUE(worker.closed().empty());
}

TEST(MemoryGuardTest, MemoryIsScarceFrom90PercentOn) {
  ProcessMemory memory(100 * kMiB, [] {});
  FakeWorker worker(memory);
  worker.Start();
  worker.Hold(0, 82 * kMiB);
  worker.Turn();
  EXPECT_TRUE(worker.pressure());
  EXPECT_FALSE(worker.scarce());
  worker.Hold(1, 9 * kMiB);
  worker.Turn();
  EXPECT_TRUE(worker.scarce());
  worker.Release(1);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_FALSE(worker.scarce());
  EXPECT_TRUE(worker.closed().empty());
}

TEST(MemoryGuardTest, ClosesTheLargestSessionsUntilAllFits) {
  ProcessMemory memory(100 * kMiB, [] {});
  FakeWorker worker(memory);
  worker.Start();
  worker.Hold(0, 20 * kMiB);
  worker.Hold(1, 45 * kMiB);
  worker.Hold(2, 40 * kMiB);
  worker.Turn();
  EXPECT_EQ(worker.closed(), std::vector<size_t>{1});
  EXPECT_LT(memory.bytes_in_use(), 100 * kMiB);
}

TEST(MemoryGuardTest, PoolsWithALimitAreToldWhatAllWorkersHold) {
  ProcessMemory memory(0, [] {});
  FakeWorker worker(memory);
  FakeWorker other(memory);
  worker.Start();
  other.Start();
  worker.Hold(0, 2 * kMiB);
  worker.Turn();
  EXPECT_EQ(worker.told(), 0u) << "no pool has a limit";
  worker.SetPoolLimit(8 * kMiB);
  worker.Turn();
  EXPECT_GE(worker.told(), 2 * kMiB);
  other.Hold(0, 7 * kMiB);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_GE(worker.told(), 9 * kMiB);
  worker.Release(0);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_FALSE(worker.watches());
}

TEST(MemoryGuardTest, WhatClientsTakeAtTheEndOfTheTurnIsNotHeld) {
  ProcessMemory memory(10 * kMiB, [] {});
  FakeWorker worker(memory);
  worker.Start();
  worker.SetPoolLimit(4 * kMiB);
  worker.Turn();
  worker.HoldUntilTurnEnd(0, 20 * kMiB);
  worker.After(std::chrono::milliseconds(10));
  EXPECT_TRUE(worker.closed().empty());
  EXPECT_FALSE(worker.pressure());
  EXPECT_EQ(worker.told(), 0u);
}

TEST(MemoryGuardTest, PoolsAreToldThatLessIsHeldAlsoWhenTheyWereToldOfMuchAnInstantBefore) {
  ProcessMemory memory(0, [] {});
  FakeWorker worker(memory);
  IsToldOfMuch(worker);
  worker.Release(0);
  worker.HoldUntilTurnEnd(0, 5 * kMiB);
  worker.After(std::chrono::milliseconds(1));
  worker.After(std::chrono::milliseconds(10));
  EXPECT_EQ(worker.told(), 0u);
  EXPECT_FALSE(worker.watches());
}

TEST(MemoryGuardTest, AnIdleWorkerRestsWhenTheLastPoolLimitIsRemovedWhileMuchIsHeld) {
  ProcessMemory memory(0, [] {});
  FakeWorker worker(memory);
  IsToldOfMuch(worker);
  worker.SetPoolLimit(0);
  worker.Turn();
  worker.Release(0);
  worker.After(std::chrono::milliseconds(100));
  worker.After(std::chrono::milliseconds(100));
  EXPECT_FALSE(worker.watches());
}

TEST(MemoryGuardTest, TheWorkerThatHoldsMostCloses) {
  ProcessMemory memory(100 * kMiB, [] {});
  FakeWorker small(memory);
  FakeWorker large(memory);
  small.Start();
  large.Start();
  large.Hold(0, 70 * kMiB);
  large.Turn();
  small.Hold(0, 40 * kMiB);
  small.Turn();
  EXPECT_TRUE(small.closed().empty());
  EXPECT_TRUE(small.pressure());
  // Its own timer tells it.
  large.After(std::chrono::milliseconds(10));
  EXPECT_EQ(large.closed(), std::vector<size_t>{0});
  EXPECT_LT(memory.bytes_in_use(), 100 * kMiB);
}

TEST(MemoryGuardTest, AsksForOneTrimAfterABurstAndRestsThen) {
  int asked = 0;
  ProcessMemory memory(/*limit=*/0, [&] { ++asked; });
  FakeWorker worker(memory);
  worker.Start();
  worker.Hold(0, 7 * kMiB);
  worker.Turn();
  EXPECT_FALSE(worker.watches()) << "no burst";
  worker.Hold(0, 20 * kMiB);
  worker.Turn();
  EXPECT_TRUE(worker.watches());
  EXPECT_EQ(asked, 0);
  worker.Release(0);
  worker.After(std::chrono::milliseconds(100));
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(worker.watches());
  // The next burst before the trim was done needs no second one.
  worker.Hold(0, 20 * kMiB);
  worker.Turn();
  worker.Release(0);
  worker.After(std::chrono::milliseconds(100));
  EXPECT_EQ(asked, 1);
  memory.TrimNow();
  worker.Hold(0, 20 * kMiB);
  worker.Turn();
  worker.Release(0);
  worker.After(std::chrono::milliseconds(200));
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace weir
