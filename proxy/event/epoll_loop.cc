// The epoll twin of EventLoop.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "proxy/base/check.h"
#include "proxy/event/event_loop.h"

namespace weir {
namespace {

constexpr int kEventsPerTurn = 256;

class EpollLoop final : public EventLoop {
 public:
  EpollLoop()
      : epoll_fd_(epoll_create1(EPOLL_CLOEXEC)), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    CHECK_GE(epoll_fd_, 0);
    CHECK_GE(wake_fd_, 0);
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = nullptr}};
    CHECK_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event), 0);
  }

  ~EpollLoop() override {
    close(wake_fd_);
    close(epoll_fd_);
  }

  void Watch(int fd, Interest interest, IoHandler* handler) override {
    Control(EPOLL_CTL_ADD, fd, interest, handler);
  }

  void ChangeInterest(int fd, Interest interest, IoHandler* handler) override {
    Control(EPOLL_CTL_MOD, fd, interest, handler);
  }

  void Unwatch(int fd) override { CHECK_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr), 0); }

 protected:
  void WaitAndDispatch(Duration wait) override {
    epoll_event events[kEventsPerTurn];
    int count = epoll_wait(epoll_fd_, events, kEventsPerTurn, Milliseconds(wait));
    CHECK(count >= 0 || errno == EINTR);
    BeginTurn(Clock::now());
    for (int i = 0; i < count; ++i) {
      uint32_t mask = events[i].events;
      auto* handler = static_cast<IoHandler*>(events[i].data.ptr);
      if (handler == nullptr) {
        ClearWake();
        continue;
      }
      handler->OnReady({.readable = (mask & EPOLLIN) != 0,
                        .writable = (mask & EPOLLOUT) != 0,
                        .broken = (mask & (EPOLLERR | EPOLLHUP)) != 0});
    }
  }

  void Wake() override {
    uint64_t one = 1;
    // Fails only when the counter is full, and then a wake-up is pending anyway.
    [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof(one));
  }

 private:
  void ClearWake() {
    uint64_t count;
    [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof(count));
  }

  void Control(int operation, int fd, Interest interest, IoHandler* handler) {
    uint8_t bits = static_cast<uint8_t>(interest);
    epoll_event event = {
        .events = ((bits & 1) != 0 ? EPOLLIN : 0u) | ((bits & 2) != 0 ? EPOLLOUT : 0u),
        .data = {.ptr = handler}};
    CHECK_EQ(epoll_ctl(epoll_fd_, operation, fd, &event), 0);
  }

  // Rounded up, so that a timer has expired when its wait is over.
  static int Milliseconds(Duration wait) {
    if (wait == kForever) return -1;
    auto rounded = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    return rounded > 60'000 ? 60'000 : static_cast<int>(rounded);
  }

  int epoll_fd_;
  int wake_fd_;
};

}  // namespace

std::unique_ptr<EventLoop> CreateEventLoop() { return std::make_unique<EpollLoop>(); }

}  // namespace weir
