#include "proxy/downstream/listener.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/log.h"
#include "proxy/event/socket.h"

namespace weir {
namespace {

constexpr Duration kRetryAccept = std::chrono::milliseconds(100);

}  // namespace

Listener::Listener(EventLoop& loop, UniqueFd fd, OnAccept on_accept)
    : loop_(loop),
      fd_(std::move(fd)),
      on_accept_(std::move(on_accept)),
      retry_(loop.timers(), [this] { loop_.ChangeInterest(fd_.get(), Interest::kRead, this); }) {
  loop_.Watch(fd_.get(), Interest::kRead, this);
}

Listener::~Listener() {
  if (fd_.valid()) loop_.Unwatch(fd_.get());
}

void Listener::OnReady(Readiness ready) {
  for (int i = 0; i < kAcceptsPerTurn && fd_.valid(); ++i) {
    if (!AcceptOne()) return;
  }
}

bool Listener::AcceptOne() {
  UniqueFd accepted = AcceptFrom(fd_.get());
  if (accepted.valid()) {
    on_accept_(std::move(accepted));
    return true;
  }
  // The peer left before it was accepted: go on with the next.
  if (errno == ECONNABORTED || errno == EINTR) return true;
  if (errno != EAGAIN && errno != EWOULDBLOCK) {
    LOG_EVENT_LIMITED(LogLevel::kError, "accept_failed", {"error", std::strerror(errno)});
    loop_.ChangeInterest(fd_.get(), Interest::kNone, this);
    retry_.ArmAt(loop_.now() + kRetryAccept);
  }
  return false;
}

void Listener::AcceptRest() {
  while (AcceptOne()) {
  }
  retry_.Disarm();
  loop_.Unwatch(fd_.get());
  fd_.Close();
}

}  // namespace weir
