// FakeEventLoop: an EventLoop on real sockets whose clock moves only when the test says so.
//
// The twin of the epoll loop for tests: the same conformance test runs over both
// (event/event_loop_test.cc). It asks poll(2), which makes each turn cost time in proportion to the
// watched sockets. A turn that may wait does not wait for time: it moves the clock on. Same thread
// rules as EventLoop; allocates nothing once the number of sockets has been seen.
#pragma once

#include <poll.h>

#include <cstddef>
#include <vector>

#include "proxy/event/event_loop.h"

namespace weir {

class FakeEventLoop final : public EventLoop {
 public:
  FakeEventLoop();
  ~FakeEventLoop() override;

  // The clock that the next turn begins with.
  void Advance(Duration by) { clock_ += by; }
  // How many events the last turn dispatched.
  size_t events_in_last_turn() const { return ready_.size(); }
  // The last turn met no event and left nothing for the next one to do.
  bool quiet() const { return ready_.empty() && !owes_turn_end(); }
  size_t watched() const { return polled_.size() - 1; }

  void Watch(int fd, Interest interest, IoHandler* handler) override;
  void ChangeInterest(int fd, Interest interest, IoHandler* handler) override;
  void Unwatch(int fd) override;

 protected:
  void WaitAndDispatch(Duration wait) override;
  void Wake() override;

 private:
  struct Event {
    IoHandler* handler;
    Readiness ready;
  };

  size_t IndexOf(int fd) const;

  Moment clock_;
  int wake_fd_;
  // polled_[0] wakes the loop; handlers_[i] is told of polled_[i].
  std::vector<pollfd> polled_;
  std::vector<IoHandler*> handlers_;
  std::vector<Event> ready_;
};

}  // namespace weir
