// Redis shards that answer at once, in one cheap process, so that the proxy before them is the
// bottleneck ("saturated" in docs/performance.md).
//
//   responder ADDRESS...      each "127.0.0.1:port" or "/path"; prints "ready" once all listen
//
// One thread, one epoll loop: many requests per read, one write per connection and turn. Ends with
// SIGTERM.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/benchmark/responder_protocol.h"
#include "tests/benchmark/sockets.h"

namespace weir::benchmark {
namespace {

constexpr size_t kReadSize = 256 << 10;
constexpr size_t kOutputLimit = 4 << 20;  // unsent replies of one connection, plus one reply
constexpr size_t kKeptCapacity = 1 << 20;

// A socket of this process: listening, or a proxy's connection with its unfinished bytes. Made by
// Add, held by its epoll registration alone, deleted by Run when the connection ends.
struct Peer {
  int fd;
  bool listening;
  uint32_t interest = EPOLLIN;
  bool broken = false;     // bytes that are not RESP: nothing more is read
  std::string input = {};  // an unfinished request, or requests behind the output limit
  std::string output = {};
  size_t sent = 0;
};

class Responder {
 public:
  Responder() : epoll_(epoll_create1(EPOLL_CLOEXEC)), scratch_(kReadSize, '\0') {}

  void Add(int fd, bool listening) {
    auto* peer = new Peer{.fd = fd, .listening = listening};
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = peer}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  [[noreturn]] void Run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      int count = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto* peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer->listening) {
          AcceptAll(peer->fd);
        } else if (!Serve(peer, events[i].events)) {
          close(peer->fd);
          delete peer;
        }
      }
    }
  }

 private:
  void AcceptAll(int listener) {
    for (int fd = Accept(listener); fd >= 0; fd = Accept(listener)) Add(fd, false);
  }

  // One turn of one connection; false when it has ended.
  bool Serve(Peer* peer, uint32_t events) {
    if ((events & ~EPOLLOUT) != 0 && !Read(peer)) return false;
    if (!Flush(peer)) return false;
    // Requests held back by the output limit go on as soon as there is room.
    while (peer->output.empty() && !peer->input.empty() && !peer->broken) {
      size_t before = peer->input.size();
      AnswerHeld(peer);
      if (peer->input.size() == before) break;
      if (!Flush(peer)) return false;
    }
    if (peer->broken && peer->output.empty()) return false;
    SetInterest(peer, peer->output.empty() ? EPOLLIN : EPOLLOUT);
    return true;
  }

  bool Read(Peer* peer) {
    ssize_t size = recv(peer->fd, scratch_.data(), scratch_.size(), 0);
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    std::string_view bytes(scratch_.data(), static_cast<size_t>(size));
    if (!peer->input.empty()) {
      peer->input.append(bytes);
      AnswerHeld(peer);
      return true;
    }
    std::optional<size_t> consumed = Respond(bytes, kOutputLimit, &peer->output);
    peer->broken = !consumed.has_value();
    peer->input.assign(bytes.substr(consumed.value_or(bytes.size())));
    return true;
  }

  void AnswerHeld(Peer* peer) {
    std::optional<size_t> consumed = Respond(peer->input, kOutputLimit, &peer->output);
    peer->broken = !consumed.has_value();
    peer->input.erase(0, consumed.value_or(peer->input.size()));
  }

  bool Flush(Peer* peer) {
    if (peer->output.empty()) return true;
    ssize_t size = send(peer->fd, peer->output.data() + peer->sent,
                        peer->output.size() - peer->sent, MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN;
    peer->sent += static_cast<size_t>(size);
    if (peer->sent < peer->output.size()) return true;
    peer->sent = 0;
    peer->output.clear();
    if (peer->output.capacity() > kKeptCapacity) peer->output.shrink_to_fit();
    return true;
  }

  void SetInterest(Peer* peer, uint32_t interest) {
    if (peer->interest == interest) return;
    peer->interest = interest;
    epoll_event event = {.events = interest, .data = {.ptr = peer}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, peer->fd, &event);
  }

  int epoll_;
  std::string scratch_;
};

int Main(int argc, char** argv) {
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Responder responder;
  for (int i = 1; i < argc; ++i) {
    absl::StatusOr<int> listener = Listen(argv[i]);
    if (!listener.ok()) {
      std::fprintf(stderr, "responder: %s\n", listener.status().ToString().c_str());
      return 1;
    }
    responder.Add(*listener, true);
  }
  std::puts("ready");
  std::fflush(stdout);
  responder.Run();
}

}  // namespace
}  // namespace weir::benchmark

int main(int argc, char** argv) { return weir::benchmark::Main(argc, argv); }
