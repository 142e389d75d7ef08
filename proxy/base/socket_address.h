// Where a socket connects or listens, as the kernel wants it: IPv4, IPv6 or a Unix socket's path.
//
// A plain value; every function here is pure and never asks a name server (resolver.h does).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/endpoint.h"

namespace weir {

struct ResolvedAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;  // bytes of `storage` in use; 0: no address

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  uint16_t port() const;  // 0 for a Unix socket

  // `127.0.0.1:6379`, `[::1]:6379`, `/run/shard.sock`; for logs and errors.
  std::string ToString() const;

  friend bool operator==(const ResolvedAddress& a, const ResolvedAddress& b);
};

// `length` bytes at `address`, as from getaddrinfo, accept or getsockname.
ResolvedAddress MakeAddress(const sockaddr* address, socklen_t length);

// The same host at another port. A Unix socket's path stays as it is.
ResolvedAddress WithPort(ResolvedAddress address, uint16_t port);

// The address that `host` itself is: an IPv4 or IPv6 literal (with or without brackets; a %zone is
// allowed), or a Unix socket's path when it begins with '/' (`port` is ignored then). Nothing when
// it is a name to be resolved, or a path longer than a socket's may be (107 bytes).
std::optional<ResolvedAddress> LiteralAddress(std::string_view host, uint16_t port);
std::optional<ResolvedAddress> LiteralAddress(const Endpoint& endpoint);

// Reached only from this machine: a Unix socket, `localhost` or an address of the loopback.
bool IsLoopback(const Endpoint& endpoint);

}  // namespace weir
