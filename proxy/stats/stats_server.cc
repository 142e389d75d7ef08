#include "proxy/stats/stats_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using SteadyClock = std::chrono::steady_clock;

// After accept failed for want of descriptors or memory: how long the listener is left alone.
constexpr std::chrono::milliseconds kAcceptPause{100};

// What the kernel may hold for one reader; left alone it would take megabytes for one that never
// reads.
constexpr int kSendBufferBytes = 64 * 1024;

// One who connected. First the text is sent; then, since closing a socket with unread input resets
// the connection and may cost the reader the end of the text, input is discarded until the reader
// closes too.
struct Reader {
  UniqueFd socket;
  std::string text;
  size_t sent = 0;
  SteadyClock::time_point deadline;

  bool sending() const { return sent < text.size(); }
};

// Each of these is false when the reader is done with, well or badly.
bool SendSome(Reader& reader) {
  while (reader.sending()) {
    const ssize_t n = send(reader.socket.get(), reader.text.data() + reader.sent,
                           reader.text.size() - reader.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    reader.sent += static_cast<size_t>(n);
  }
  return shutdown(reader.socket.get(), SHUT_WR) == 0;
}

bool DiscardInput(Reader& reader) {
  char scratch[4096];
  const ssize_t n = recv(reader.socket.get(), scratch, sizeof(scratch), MSG_DONTWAIT);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

bool Advance(Reader& reader) { return reader.sending() ? SendSome(reader) : DiscardInput(reader); }

absl::Status SocketError(std::string_view what, const ResolvedAddress& address) {
  return Unavailable("stats: cannot ", what, " ", address.ToString(), ": ", strerror(errno));
}

}  // namespace

// What the thread owns and does.
class StatsServer::Serving {
 public:
  Serving(UniqueFd listener, std::function<std::string()> text, absl::Duration send_timeout)
      : listener_(std::move(listener)),
        text_(std::move(text)),
        send_timeout_(absl::ToChronoNanoseconds(send_timeout)) {}

  // Until `stop_fd` is readable.
  void Run(int stop_fd) {
    while (Wait(stop_fd)) {
      // Those accepted in this turn have no poll result yet: they begin in the next one.
      ServeReaders();
      if (listener_ready_) Accept();
    }
  }

 private:
  // False when it is time to stop. Leaves the readiness of the readers in polls_, in their order.
  bool Wait(int stop_fd) {
    const SteadyClock::time_point now = SteadyClock::now();
    const bool accepting = readers_.size() < kMaxReaders && now >= accept_from_;
    polls_.clear();
    polls_.push_back({.fd = stop_fd, .events = POLLIN, .revents = 0});
    polls_.push_back({.fd = accepting ? listener_.get() : -1, .events = POLLIN, .revents = 0});
    for (const Reader& reader : readers_) {
      const short events = reader.sending() ? POLLOUT : POLLIN;
      polls_.push_back({.fd = reader.socket.get(), .events = events, .revents = 0});
    }
    poll(polls_.data(), polls_.size(), TimeoutMilliseconds(now));
    listener_ready_ = polls_[1].revents != 0;
    return polls_[0].revents == 0;
  }

  int TimeoutMilliseconds(SteadyClock::time_point now) const {
    if (readers_.empty() && now >= accept_from_) return -1;
    SteadyClock::time_point next = SteadyClock::time_point::max();
    if (now < accept_from_) next = accept_from_;
    for (const Reader& reader : readers_) next = std::min(next, reader.deadline);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    return static_cast<int>(std::clamp<int64_t>(wait, 0, 60'000));
  }

  void ServeReaders() {
    const SteadyClock::time_point now = SteadyClock::now();
    size_t kept = 0;
    for (size_t i = 0; i < readers_.size(); ++i) {
      const bool ready = polls_[2 + i].revents != 0;
      if ((ready && !Advance(readers_[i])) || now >= readers_[i].deadline) continue;
      if (kept != i) readers_[kept] = std::move(readers_[i]);
      ++kept;
    }
    readers_.erase(readers_.begin() + static_cast<ptrdiff_t>(kept), readers_.end());
  }

  void Accept() {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      const bool scarce = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (scarce) accept_from_ = SteadyClock::now() + kAcceptPause;
      return;
    }
    Reader reader{
        .socket = UniqueFd(fd), .text = text_(), .deadline = SteadyClock::now() + send_timeout_};
    if (SendSome(reader)) readers_.push_back(std::move(reader));
  }

  UniqueFd listener_;
  std::function<std::string()> text_;
  std::chrono::nanoseconds send_timeout_;
  std::vector<Reader> readers_;
  std::vector<pollfd> polls_;  // stop, listener, then the readers
  bool listener_ready_ = false;
  SteadyClock::time_point accept_from_{};
};

absl::StatusOr<std::unique_ptr<StatsServer>> StatsServer::Start(const ResolvedAddress& listen,
                                                                std::function<std::string()> text,
                                                                absl::Duration send_timeout) {
  UniqueFd socket(::socket(listen.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return SocketError("open a socket for", listen);
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Accepted sockets inherit it.
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof(kSendBufferBytes));
  if (bind(socket.get(), listen.get(), listen.length) != 0) return SocketError("bind", listen);
  if (::listen(socket.get(), kMaxReaders) != 0) return SocketError("listen on", listen);
  ResolvedAddress bound;
  bound.length = sizeof(bound.storage);
  CHECK(getsockname(socket.get(), bound.get(), &bound.length) == 0);
  UniqueFd stop_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_fd.valid()) return SocketError("make an event for", listen);
  auto serving = std::make_unique<Serving>(std::move(socket), std::move(text), send_timeout);
  return std::unique_ptr<StatsServer>(
      new StatsServer(bound, std::move(serving), std::move(stop_fd)));
}

StatsServer::StatsServer(ResolvedAddress address, std::unique_ptr<Serving> serving,
                         UniqueFd stop_fd)
    : address_(address),
      serving_(std::move(serving)),
      stop_fd_(std::move(stop_fd)),
      thread_([serving = serving_.get(), fd = stop_fd_.get()] { serving->Run(fd); }) {}

StatsServer::~StatsServer() {
  const uint64_t one = 1;
  CHECK(write(stop_fd_.get(), &one, sizeof(one)) == sizeof(one));
  thread_.join();
}

}  // namespace weir
