#include "tests/support/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

SocketAddress UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  CHECK_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  SocketAddress result;
  std::memcpy(&result.storage, &address, sizeof(address));
  result.length = sizeof(address);
  return result;
}

SocketAddress TcpAddress(const std::string& host_and_port) {
  size_t colon = host_and_port.rfind(':');
  CHECK(colon != std::string::npos);
  std::optional<uint16_t> port = ParseInt<uint16_t>(host_and_port.substr(colon + 1));
  CHECK(port.has_value());
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  CHECK_EQ(inet_pton(AF_INET, host_and_port.substr(0, colon).c_str(), &address.sin_addr), 1);
  SocketAddress result;
  std::memcpy(&result.storage, &address, sizeof(address));
  result.length = sizeof(address);
  return result;
}

SocketAddress Parse(const Address& address) {
  return address.starts_with('/') ? UnixAddress(address) : TcpAddress(address);
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

OwnedFd Listen(const Address& address) {
  SocketAddress parsed = Parse(address);
  OwnedFd socket(::socket(parsed.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  CHECK(socket);
  CHECK_EQ(bind(socket.get(), parsed.get(), parsed.length), 0);
  CHECK_EQ(listen(socket.get(), SOMAXCONN), 0);
  return socket;
}

uint16_t BoundPort(const OwnedFd& socket) {
  sockaddr_in address = {};
  socklen_t length = sizeof(address);
  CHECK_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  return ntohs(address.sin_port);
}

uint16_t FreePort() { return BoundPort(Listen("127.0.0.1:0")); }

OwnedFd Connect(const Address& address) {
  SocketAddress parsed = Parse(address);
  OwnedFd socket(::socket(parsed.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(socket);
  if (connect(socket.get(), parsed.get(), parsed.length) != 0) return OwnedFd();
  if (parsed.family() == AF_INET) {
    int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return socket;
}

bool Eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  constexpr int kPauseMilliseconds = 2;
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    poll(nullptr, 0, kPauseMilliseconds);
  }
  return true;
}

}  // namespace weir
