// EventLoop: one thread's readiness, timers and messages, behind a small interface.
//
// Each worker owns one loop. All calls but Post and Stop belong to the thread that runs it. A turn
// waits for events, reads the clock, once for all that follows, dispatches the events, then
// messages, then timers, and ends with the handlers that asked for the end of the turn (where
// batches are flushed and snapshots adopted). Those may ask again, for another round; after
// kTurnEndRounds the next turn goes on with them, without waiting. Objects given to DeleteLater die
// after that.
//
// A wait for a timer is counted from the beginning of the turn before it, so a timer is late by at
// most the length of that turn, as one is that expires in its middle.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "proxy/base/clock.h"
#include "proxy/event/timer_queue.h"

namespace weir {

enum class Interest : uint8_t { kNone = 0, kRead = 1, kWrite = 2, kReadWrite = 3 };

inline Interest operator|(Interest a, Interest b) {
  return static_cast<Interest>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}

// What is ready. `broken` (reset, or closed both ways) is reported whatever the interest.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool broken = false;
};

// Told of readiness. Must outlive the turn in which it is unwatched: end it by DeleteLater.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void OnReady(Readiness ready) = 0;
};

class EventLoop;

// Told once at the end of the turn in which it was scheduled, or of the next one. It may end
// before; then it is not told.
class TurnEndHandler {
 public:
  virtual ~TurnEndHandler();
  virtual void OnTurnEnd() = 0;

 private:
  friend class EventLoop;
  EventLoop* scheduled_on_ = nullptr;
};

class EventLoop {
 public:
  using Message = absl::AnyInvocable<void()>;
  // Bytes read from one descriptor in a turn, at most.
  static constexpr size_t kScratchBytes = 65536;
  // How often a turn lets its handlers ask for its end again.
  static constexpr int kTurnEndRounds = 16;

  virtual ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Any thread. Runs `message` on the loop's thread, in the order of posting. What is still unrun
  // when the loop ends is destroyed unrun, so whatever a message carries must own itself.
  void Post(Message message);
  // Any thread. Run returns after the turn in progress, perhaps before Stop does: the loop outlives
  // both.
  void Stop();

  // Turns until Stop.
  void Run();
  // One turn; waits at most `wait` (forever: kForever) when there is nothing to do.
  void RunTurn(Duration wait);
  static constexpr Duration kForever = Duration::max();

  // The moment at which this turn began.
  Moment now() const { return now_; }
  // The number of this turn.
  uint64_t turn() const { return turn_; }
  TimerQueue& timers() { return timers_; }
  // `handler` is borrowed until it was told, or ends.
  void AtTurnEnd(TurnEndHandler* handler);
  // Whether handlers wait for the end of a turn.
  bool owes_turn_end() const { return !turn_end_.empty(); }
  template <typename T>
  void DeleteLater(std::unique_ptr<T> object) {
    garbage_.push_back(std::shared_ptr<void>(std::move(object)));
  }

  // Level-triggered readiness of `fd`. `handler` is borrowed until Unwatch.
  virtual void Watch(int fd, Interest interest, IoHandler* handler) = 0;
  virtual void ChangeInterest(int fd, Interest interest, IoHandler* handler) = 0;
  virtual void Unwatch(int fd) = 0;

  // The loop's read buffer; its contents last until the next read on this loop.
  std::span<char> scratch() { return {scratch_.get(), kScratchBytes}; }
  bool InLoopThread() const {
    std::thread::id owner = owner_.load(std::memory_order_relaxed);
    return owner == std::thread::id() || owner == std::this_thread::get_id();
  }

 protected:
  EventLoop();
  // Waits at most `wait` for events, sets the clock by BeginTurn and dispatches the events.
  virtual void WaitAndDispatch(Duration wait) = 0;
  // Makes a wait in progress, or the next one, return. Any thread.
  virtual void Wake() = 0;
  void BeginTurn(Moment now) {
    now_ = now;
    ++turn_;
  }

 private:
  Duration WaitLimit(Duration wait) const;
  void RunMessages();
  void RunTurnEnd();
  friend class TurnEndHandler;
  void Forget(const TurnEndHandler* handler);

  TimerQueue timers_;
  Moment now_;
  uint64_t turn_ = 0;
  std::unique_ptr<char[]> scratch_;
  std::vector<TurnEndHandler*> turn_end_;    // null: ended meanwhile
  std::vector<TurnEndHandler*> this_round_;  // being told
  std::vector<std::shared_ptr<void>> garbage_;
  std::atomic<std::thread::id> owner_;
  std::atomic<bool> stopped_ = false;
  // Set while messages wait, so that a turn without any takes no lock.
  std::atomic<bool> has_messages_ = false;
  std::mutex mutex_;
  std::vector<Message> messages_;  // guarded by mutex_
};

// A loop on the system's best mechanism (epoll; docs/adr/ says why not io_uring).
std::unique_ptr<EventLoop> CreateEventLoop();

}  // namespace weir
