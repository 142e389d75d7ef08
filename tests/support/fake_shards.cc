#include "tests/support/fake_shards.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/support/resp.h"

namespace weir {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

struct Connection {
  OwnedFd socket;
  size_t shard = 0;
  std::string input;   // an unfinished request
  std::string output;  // replies that did not fit into the socket
};

std::string Answer(const std::vector<std::string_view>& request, size_t shard,
                   const std::string& ping_answer) {
  if (!request.empty() && request[0] == "GET") return EncodeBulk(std::to_string(shard));
  if (!request.empty() && request[0] == "PING") return ping_answer;
  return "-ERR a fake shard knows GET and PING only\r\n";
}

// A port that the kernel chose goes back to it when the socket is shut down; one that was asked for
// stays with the socket. So the kernel is asked first for a free port, then for that one.
OwnedFd ListenOnPortOfItsOwn() {
  for (;;) {
    OwnedFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    CHECK(socket);
    int on = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(FreePort());
    const int bound = bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    if (bound == 0 && listen(socket.get(), SOMAXCONN) == 0) return socket;
    CHECK_EQ(errno, EADDRINUSE);
  }
}

}  // namespace

// The thread and its epoll loop. All but the constructor, the destructor and Run() is the thread's.
class FakeShards::Server {
 public:
  explicit Server(std::vector<OwnedFd> listeners)
      : listeners_(std::move(listeners)),
        ping_answers_(listeners_.size(), "+PONG\r\n"),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CHECK(epoll_ && wake_);
    Watch(wake_.get(), EPOLLIN);
    for (size_t shard = 0; shard < listeners_.size(); ++shard) {
      shard_of_listener_[listeners_[shard].get()] = shard;
      Watch(listeners_[shard].get(), EPOLLIN);
    }
    thread_ = std::thread([this] { Serve(); });
  }

  ~Server() {
    Run([this] { done_ = true; });
    thread_.join();
  }

  // Runs `task` on the thread and waits for it.
  void Run(std::function<void()> task) {
    std::packaged_task<void()> packaged(std::move(task));
    std::future<void> finished = packaged.get_future();
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(packaged));
    }
    uint64_t one = 1;
    CHECK_EQ(write(wake_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    finished.wait();
  }

  void StopShard(size_t shard) {
    shard_of_listener_.erase(listeners_[shard].get());
    // Shut down rather than closed, so that the port stays taken. The kernel no longer reports it.
    CHECK_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listeners_[shard].get(), nullptr), 0);
    shutdown(listeners_[shard].get(), SHUT_RDWR);
    std::erase_if(connections_, [&](const auto& entry) { return entry.second.shard == shard; });
  }

  // A TCP socket that was shut down still has its address and listens again; a Unix one cannot, so
  // it comes with a new listener.
  void StartShard(size_t shard, OwnedFd listener) {
    if (listener) {
      listeners_[shard] = std::move(listener);
    } else {
      CHECK_EQ(listen(listeners_[shard].get(), SOMAXCONN), 0);
    }
    shard_of_listener_[listeners_[shard].get()] = shard;
    Watch(listeners_[shard].get(), EPOLLIN);
  }

  void SetPingAnswer(size_t shard, std::string answer) { ping_answers_[shard] = std::move(answer); }

 private:
  void Serve() {
    while (!done_) {
      epoll_event events[64];
      int count = epoll_wait(epoll_.get(), events, std::size(events), -1);
      CHECK(count >= 0 || errno == EINTR);
      for (int i = 0; i < count; ++i) OnEvent(events[i].data.fd);
      RunTasks();  // after the events: a task may close sockets that they name
    }
  }

  void RunTasks() {
    uint64_t ignored;
    if (read(wake_.get(), &ignored, sizeof(ignored)) < 0) return;
    std::vector<std::packaged_task<void()>> tasks;
    {
      std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) task();
  }

  void OnEvent(int fd) {
    if (auto listener = shard_of_listener_.find(fd); listener != shard_of_listener_.end()) {
      Accept(fd, listener->second);
    } else if (auto connection = connections_.find(fd); connection != connections_.end()) {
      if (!Flush(connection->second) || !Receive(connection->second)) connections_.erase(fd);
    }
  }

  void Accept(int listener, size_t shard) {
    for (;;) {
      OwnedFd socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket) return;
      int fd = socket.get();
      Watch(fd, EPOLLIN);
      connections_[fd] = {.socket = std::move(socket), .shard = shard, .input = "", .output = ""};
    }
  }

  // False when the connection has ended, here and in Flush().
  bool Receive(Connection& connection) {
    char buffer[kReadBytes];
    ssize_t size = read(connection.socket.get(), buffer, sizeof(buffer));
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    connection.input.append(buffer, static_cast<size_t>(size));

    std::string_view rest = connection.input;
    std::vector<std::string_view> request;
    while (size_t taken = TakeRequest(rest, request)) {
      connection.output += Answer(request, connection.shard, ping_answers_[connection.shard]);
      rest.remove_prefix(taken);
    }
    connection.input.erase(0, connection.input.size() - rest.size());
    return Flush(connection);
  }

  bool Flush(Connection& connection) {
    if (connection.output.empty()) return true;
    ssize_t size = send(connection.socket.get(), connection.output.data(), connection.output.size(),
                        MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (size > 0) connection.output.erase(0, static_cast<size_t>(size));
    Modify(connection.socket.get(), connection.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
  }

  void Watch(int fd, uint32_t events) { Control(EPOLL_CTL_ADD, fd, events); }
  void Modify(int fd, uint32_t events) { Control(EPOLL_CTL_MOD, fd, events); }
  void Control(int operation, int fd, uint32_t events) {
    epoll_event event = {};
    event.events = events;
    event.data.fd = fd;
    CHECK_EQ(epoll_ctl(epoll_.get(), operation, fd, &event), 0);
  }

  std::vector<OwnedFd> listeners_;
  std::vector<std::string> ping_answers_;  // by shard
  OwnedFd epoll_;
  OwnedFd wake_;
  std::map<int, size_t> shard_of_listener_;
  std::map<int, Connection> connections_;
  bool done_ = false;
  std::mutex mutex_;  // guards tasks_
  std::vector<std::packaged_task<void()>> tasks_;
  std::thread thread_;
};

FakeShards::FakeShards(size_t count) {
  std::vector<OwnedFd> listeners;
  for (size_t shard = 0; shard < count; ++shard) {
    listeners.push_back(ListenOnPortOfItsOwn());
    addresses_.push_back(StrCat("127.0.0.1:", BoundPort(listeners.back())));
  }
  server_ = std::make_unique<Server>(std::move(listeners));
}

FakeShards::FakeShards(size_t count, const std::string& directory) {
  std::vector<OwnedFd> listeners;
  for (size_t shard = 0; shard < count; ++shard) {
    addresses_.push_back(StrCat(directory, "/shard-", shard));
    listeners.push_back(Listen(addresses_.back()));
  }
  server_ = std::make_unique<Server>(std::move(listeners));
}

FakeShards::~FakeShards() = default;

const Address& FakeShards::address(size_t shard) const { return addresses_[shard]; }

void FakeShards::Stop(size_t shard) {
  server_->Run([this, shard] { server_->StopShard(shard); });
}

void FakeShards::Start(size_t shard) {
  OwnedFd listener;
  if (const Address& address = addresses_[shard]; address.starts_with('/')) {
    CHECK_EQ(unlink(address.c_str()), 0);
    listener = Listen(address);
  }
  server_->Run([&] { server_->StartShard(shard, std::move(listener)); });
}

void FakeShards::SetPingAnswer(size_t shard, std::string answer) {
  server_->Run([&] { server_->SetPingAnswer(shard, std::move(answer)); });
}

}  // namespace weir
