#include "tests/support/fake_event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "proxy/base/check.h"

namespace weir {
namespace {

short PollEvents(Interest interest) {
  const auto bits = static_cast<uint8_t>(interest);
  return static_cast<short>(((bits & 1) != 0 ? POLLIN : 0) | ((bits & 2) != 0 ? POLLOUT : 0));
}

}  // namespace

FakeEventLoop::FakeEventLoop() : clock_(now()), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK_GE(wake_fd_, 0);
  polled_.push_back({.fd = wake_fd_, .events = POLLIN, .revents = 0});
  handlers_.push_back(nullptr);
}

FakeEventLoop::~FakeEventLoop() {
  CHECK_EQ(watched(), 0u);  // whoever watches must end before the loop does
  close(wake_fd_);
}

size_t FakeEventLoop::IndexOf(int fd) const {
  for (size_t i = 1; i < polled_.size(); ++i) {
    if (polled_[i].fd == fd) return i;
  }
  CHECK(false);  // not watched
  return 0;
}

void FakeEventLoop::Watch(int fd, Interest interest, IoHandler* handler) {
  polled_.push_back({.fd = fd, .events = PollEvents(interest), .revents = 0});
  handlers_.push_back(handler);
}

void FakeEventLoop::ChangeInterest(int fd, Interest interest, IoHandler* handler) {
  const size_t index = IndexOf(fd);
  polled_[index].events = PollEvents(interest);
  handlers_[index] = handler;
}

void FakeEventLoop::Unwatch(int fd) {
  const size_t index = IndexOf(fd);
  polled_.erase(polled_.begin() + static_cast<ptrdiff_t>(index));
  handlers_.erase(handlers_.begin() + static_cast<ptrdiff_t>(index));
}

void FakeEventLoop::WaitAndDispatch(Duration wait) {
  const int count = poll(polled_.data(), polled_.size(), wait == kForever ? -1 : 0);
  CHECK(count >= 0 || errno == EINTR);
  if (count <= 0 && wait != kForever) clock_ += wait;
  BeginTurn(clock_);
  // As epoll does: what is ready is decided before the first handler runs.
  ready_.clear();
  for (size_t i = 1; i < polled_.size(); ++i) {
    const short events = polled_[i].revents;
    if (events == 0) continue;
    ready_.push_back({handlers_[i],
                      {.readable = (events & POLLIN) != 0,
                       .writable = (events & POLLOUT) != 0,
                       .broken = (events & (POLLERR | POLLHUP)) != 0}});
  }
  if (polled_[0].revents != 0) {
    uint64_t wakes;
    [[maybe_unused]] ssize_t got = read(wake_fd_, &wakes, sizeof(wakes));
  }
  for (const Event& event : ready_) event.handler->OnReady(event.ready);
}

void FakeEventLoop::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof(one));
}

}  // namespace weir
