#include "controlplane/server/listen_check.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/base/listen_check.h"
#include "proxy/base/resolver.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

absl::StatusOr<Addresses> AddressesOf(const Endpoint& endpoint) {
  if (const auto literal = LiteralAddress(endpoint)) return Addresses{*literal};
  return SystemLookup(endpoint.host, endpoint.port);
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
    const int error = ErrorOfListening(address);
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
