// Whether a server could listen at an address, found out without listening there: nobody can
// connect meanwhile.
//
// Blocks no longer than a system call; any thread. Another process may take the address as soon as
// the answer is there.
#pragma once

#include "proxy/base/socket_address.h"

namespace weir {

struct ListenCheckOptions {
  bool reuse_port = false;  // the server's socket would have SO_REUSEPORT
  bool v6_only = false;     // and IPV6_V6ONLY
};

// 0, or the errno with which the server would fail. EADDRINUSE: somebody listens there, or at an
// address that overlaps with it. A Unix socket's file at which nobody listens is no obstacle, any
// other file is (EEXIST); nothing is left behind.
int ErrorOfListening(const ResolvedAddress& address, const ListenCheckOptions& options = {});

}  // namespace weir
