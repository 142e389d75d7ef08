#include "tests/benchmark/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {

constexpr int kBacklog = 4096;
constexpr unsigned kConnectionsPerSource = 10'000;

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  bool tcp() const { return storage.ss_family == AF_INET; }
};

std::optional<Address> ParseAddress(std::string_view text) {
  Address address;
  if (text.starts_with('/')) {
    auto& unix_address = reinterpret_cast<sockaddr_un&>(address.storage);
    if (text.size() >= sizeof(unix_address.sun_path)) return std::nullopt;
    unix_address.sun_family = AF_UNIX;
    std::memcpy(unix_address.sun_path, text.data(), text.size());
    address.size = sizeof(sockaddr_un);
    return address;
  }
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::optional<uint16_t> port = ParseInt<uint16_t>(text.substr(colon + 1));
  auto& inet_address = reinterpret_cast<sockaddr_in&>(address.storage);
  inet_address.sin_family = AF_INET;
  if (!port.has_value() ||
      inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &inet_address.sin_addr) != 1) {
    return std::nullopt;
  }
  inet_address.sin_port = htons(*port);
  address.size = sizeof(sockaddr_in);
  return address;
}

void SetOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

absl::Status SocketError(std::string_view what, std::string_view address) {
  return Unavailable(what, " ", address, ": ", std::strerror(errno));
}

bool PrepareClient(int fd, unsigned nth) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  SetOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  sockaddr_in source = {};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + nth / kConnectionsPerSource);
  return bind(fd, reinterpret_cast<sockaddr*>(&source), sizeof(source)) == 0;
}

}  // namespace

absl::StatusOr<int> Listen(std::string_view text) {
  std::optional<Address> address = ParseAddress(text);
  if (!address.has_value()) return InvalidArgument(text, ": want ip:port or /path");
  int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return SocketError("socket", text);
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!address->tcp()) unlink(std::string(text).c_str());
  if (bind(fd, address->get(), address->size) != 0 || listen(fd, kBacklog) != 0) {
    absl::Status error = SocketError("listen", text);
    close(fd);
    return error;
  }
  return fd;
}

absl::StatusOr<int> Connect(std::string_view text, unsigned nth) {
  std::optional<Address> address = ParseAddress(text);
  if (!address.has_value()) return InvalidArgument(text, ": want ip:port or /path");
  int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return SocketError("socket", text);
  if ((address->tcp() && !PrepareClient(fd, nth)) ||
      connect(fd, address->get(), address->size) != 0) {
    absl::Status error = SocketError("connect", text);
    close(fd);
    return error;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

int Accept(int listener) {
  int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

}  // namespace weir::benchmark
