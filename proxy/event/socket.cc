#include "proxy/event/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "proxy/base/strings.h"

namespace weir {
namespace {

bool IsOwnShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
         error == EADDRNOTAVAIL;
}

absl::Status SocketError(const char* action, const ResolvedAddress& address) {
  const int error = errno;
  const std::string text =
      StrCat("cannot ", action, " ", address.ToString(), ": ", std::strerror(error));
  return IsOwnShortage(error) ? absl::ResourceExhaustedError(text) : absl::UnavailableError(text);
}

UniqueFd NewSocket(int family) {
  return UniqueFd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

const char* UnixPath(const ResolvedAddress& address) {
  return reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;
}

// A socket left behind by a process that died would make bind fail for ever. Any other file stays:
// connect() answers the same for it.
void RemoveStaleUnixSocket(const ResolvedAddress& address) {
  if (!IsUnixSocket(UnixPath(address))) return;
  UniqueFd probe = NewSocket(AF_UNIX);
  if (!probe.valid()) return;
  if (connect(probe.get(), address.get(), address.length) != 0 && errno == ECONNREFUSED) {
    unlink(UnixPath(address));
  }
}

}  // namespace

bool IsUnixSocket(const char* path) {
  struct stat found;
  return lstat(path, &found) == 0 && S_ISSOCK(found.st_mode);
}

absl::StatusOr<UniqueFd> ListenOn(const ResolvedAddress& address, const ListenOptions& options) {
  UniqueFd fd = NewSocket(address.family());
  if (!fd.valid()) return SocketError("make a socket for", address);
  int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (options.reuse_port) SetReusePort(fd.get(), true);
  if (address.family() == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  }
  if (address.is_unix()) RemoveStaleUnixSocket(address);
  if (bind(fd.get(), address.get(), address.length) != 0) return SocketError("bind", address);
  if (address.is_unix() && options.unix_mode.has_value() &&
      chmod(UnixPath(address), *options.unix_mode) != 0) {
    return SocketError("set the mode of", address);
  }
  if (listen(fd.get(), options.backlog) != 0) return SocketError("listen on", address);
  return fd;
}

void SetReusePort(int fd, bool on) {
  const int value = on ? 1 : 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

absl::StatusOr<UniqueFd> StartConnect(const ResolvedAddress& address) {
  UniqueFd fd = NewSocket(address.family());
  if (!fd.valid()) return SocketError("make a socket for", address);
  if (!address.is_unix()) SetNoDelay(fd.get());
  if (connect(fd.get(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
    return SocketError("connect to", address);
  }
  return fd;
}

int ConnectError(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

bool ConnectedToItself(int fd) {
  sockaddr_storage own = {};
  sockaddr_storage peer = {};
  socklen_t own_length = sizeof(own);
  socklen_t peer_length = sizeof(peer);
  return getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_length) == 0 &&
         getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0 &&
         own.ss_family != AF_UNIX && own_length == peer_length &&
         std::memcmp(&own, &peer, own_length) == 0;
}

UniqueFd AcceptFrom(int listen_fd) {
  return UniqueFd(accept4(listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

void SetNoDelay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void ResetOnClose(int fd) {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void SetKeepAlive(int fd) {
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

}  // namespace weir
