// Sockets, made and configured: the few system calls behind listeners and connections.
// Pure wrappers, any thread; nothing here blocks. Errors are Status values with the address in
// them.
#pragma once

#include <sys/types.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/unique_fd.h"

namespace weir {

struct ListenOptions {
  int backlog = 512;
  bool reuse_port = false;
  // Permissions of a Unix socket's file; as umask leaves them when unset.
  std::optional<mode_t> unix_mode;
};

// A listening socket, non-blocking. A Unix socket's file that nobody listens on is replaced.
absl::StatusOr<UniqueFd> ListenOn(const ResolvedAddress& address, const ListenOptions& options);

// Whether another socket of this user may have the address of this one too (SO_REUSEPORT). Of one
// that is open already it concerns those that are bound later. No effect on Unix sockets.
void SetReusePort(int fd, bool on);

// A non-blocking socket that is connected or on its way; it becomes writable when that is decided.
// kResourceExhausted: this machine or process is short of descriptors, memory or local ports, which
// says nothing of the other side.
absl::StatusOr<UniqueFd> StartConnect(const ResolvedAddress& address);
// The outcome of a connect that was on its way: 0 or the errno.
int ConnectError(int fd);

// Whether a TCP socket is connected to itself, as can happen when nobody listens on a port that the
// kernel also gives to outgoing connections: it would answer with what it is asked.
bool ConnectedToItself(int fd);

// The next connection waiting at a listening socket, non-blocking; invalid with errno set when
// there is none or the process is short of descriptors.
UniqueFd AcceptFrom(int listen_fd);

// Whether a Unix socket's file is there, and no other.
bool IsUnixSocket(const char* path);
// Small writes leave at once (no effect on Unix sockets).
void SetNoDelay(int fd);
// Closing it ends the connection with a reset: the kernel drops what it holds for the peer.
void ResetOnClose(int fd);
// The kernel probes idle peers and notices dead ones.
void SetKeepAlive(int fd);

}  // namespace weir
