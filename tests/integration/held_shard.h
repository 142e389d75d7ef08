// HeldShard: a redis server that answers when the test says so. One connection, one thread: the
// test's. Nothing waits longer than 20 s.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/support/resp.h"
#include "tests/support/sockets.h"

namespace weir {

class HeldShard {
 public:
  HeldShard()
      : listener_(Listen("127.0.0.1:0")), address_(StrCat("127.0.0.1:", BoundPort(listener_))) {}

  const Address& address() const { return address_; }

  // Waits until the proxy has sent `count` more requests.
  bool Receives(size_t count) {
    return Eventually([&] {
      if (!socket_) socket_ = OwnedFd(accept(listener_.get(), nullptr, nullptr));
      char buffer[4096];
      const ssize_t got = recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (got > 0) input_.append(buffer, static_cast<size_t>(got));
      std::vector<std::string_view> arguments;
      while (count > 0) {
        const size_t used = TakeRequest(input_, arguments);
        if (used == 0) return false;
        input_.erase(0, used);
        --count;
      }
      return true;
    });
  }

  void Sends(std::string_view reply) {
    CHECK_EQ(send(socket_.get(), reply.data(), reply.size(), MSG_NOSIGNAL),
             static_cast<ssize_t>(reply.size()));
  }

  // Whether the proxy has closed the connection.
  bool IsLeft() {
    return Eventually([&] {
      char byte;
      return recv(socket_.get(), &byte, 1, MSG_DONTWAIT) == 0;
    });
  }

 private:
  OwnedFd listener_;
  Address address_;
  OwnedFd socket_;
  std::string input_;
};

}  // namespace weir
