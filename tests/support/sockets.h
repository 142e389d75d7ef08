// Sockets for tests: loopback and Unix only. Failures that no test expects end the program (CHECK).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace weir {

// A file descriptor that closes itself. Movable; -1 is none.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Where a server listens: "/path" is a Unix socket, "127.0.0.1:PORT" a TCP port of that address.
using Address = std::string;

// A non-blocking listening socket. Port 0 of TCP lets the kernel choose: see BoundPort().
OwnedFd Listen(const Address& address);
uint16_t BoundPort(const OwnedFd& socket);

// A TCP port of 127.0.0.1 that was free a moment ago, for programs that cannot choose one
// themselves.
uint16_t FreePort();

// A blocking connection, or none when nobody listens.
OwnedFd Connect(const Address& address);

// Asks `condition` again and again until it holds; false when it did not within `limit`. For what
// only another process can bring about and nobody reports; within a program, wait for the event
// itself.
bool Eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(20));

}  // namespace weir
