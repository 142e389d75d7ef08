#include "controlplane/server/listen_check.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/base/resolver.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"

namespace weir {
namespace {

absl::StatusOr<Addresses> AddressesOf(const Endpoint& endpoint) {
  if (const auto literal = LiteralAddress(endpoint)) return Addresses{*literal};
  return SystemLookup(endpoint.host, endpoint.port);
}

// errno of an attempt to bind a socket, which is not kept; 0: it succeeded.
int ErrorOfBind(const ResolvedAddress& address) {
  const UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  // As the libraries do: connections that an ended process left behind are in nobody's way.
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  return bind(fd.get(), address.get(), address.length) == 0 ? 0 : errno;
}

// A socket at which nobody listens is no obstacle: gRPC replaces it.
int ErrorOfUnixSocket(const std::string& path, const ResolvedAddress& address) {
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0) {
    const int error = ErrorOfBind(address);
    if (error == 0) unlink(path.c_str());
    return error;
  }
  if (!S_ISSOCK(found.st_mode)) return EEXIST;
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  if (connect(fd.get(), address.get(), address.length) == 0) return EADDRINUSE;
  return errno == ECONNREFUSED ? 0 : EADDRINUSE;
}

absl::Status CannotListen(const Endpoint& endpoint, std::string_view reason) {
  return Unavailable("cannot listen at ", FormatEndpoint(endpoint), ": ", reason);
}

}  // namespace

absl::Status CheckListenable(const Endpoint& endpoint) {
  const absl::StatusOr<Addresses> addresses = AddressesOf(endpoint);
  if (!addresses.ok()) return CannotListen(endpoint, FromAbsl(addresses.status().message()));
  int last_error = EADDRNOTAVAIL;
  bool is_free = false;
  for (const ResolvedAddress& address : *addresses) {
    const int error =
        address.is_unix() ? ErrorOfUnixSocket(endpoint.path, address) : ErrorOfBind(address);
    if (error == EADDRINUSE) return CannotListen(endpoint, std::strerror(error));
    if (error == 0) {
      is_free = true;
    } else {
      last_error = error;
    }
  }
  return is_free ? absl::OkStatus() : CannotListen(endpoint, std::strerror(last_error));
}

}  // namespace weir
