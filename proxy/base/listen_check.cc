#include "proxy/base/listen_check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "proxy/base/unique_fd.h"

namespace weir {
namespace {

void SetOption(const UniqueFd& fd, int level, int option) {
  const int one = 1;
  setsockopt(fd.get(), level, option, &one, sizeof(one));
}

// The kernel refuses to bind what somebody listens at; a socket that is bound and does not listen
// is in nobody's way.
int ErrorOfBind(const ResolvedAddress& address, const ListenCheckOptions& options) {
  const UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  // Connections that an ended process left behind are no obstacle.
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR);
  if (options.reuse_port) SetOption(fd, SOL_SOCKET, SO_REUSEPORT);
  if (options.v6_only && address.family() == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  return bind(fd.get(), address.get(), address.length) == 0 ? 0 : errno;
}

int ErrorOfUnixSocket(const ResolvedAddress& address) {
  const char* const path = reinterpret_cast<const sockaddr_un*>(address.get())->sun_path;
  struct stat found{};
  if (lstat(path, &found) != 0) {
    const int error = ErrorOfBind(address, {});
    if (error == 0) unlink(path);
    return error;
  }
  if (!S_ISSOCK(found.st_mode)) return EEXIST;
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  if (connect(fd.get(), address.get(), address.length) == 0) return EADDRINUSE;
  return errno == ECONNREFUSED ? 0 : EADDRINUSE;
}

}  // namespace

int ErrorOfListening(const ResolvedAddress& address, const ListenCheckOptions& options) {
  return address.is_unix() ? ErrorOfUnixSocket(address) : ErrorOfBind(address, options);
}

}  // namespace weir
