// The few socket calls that load generator and responder share. An address is "1.2.3.4:port" or the
// path of a Unix socket. All sockets are non-blocking, close-on-exec and, over TCP, without Nagle.
// Errors are Unavailable with the address and errno's text. Callable from any thread.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"

namespace weir::benchmark {

// A listening socket; an existing Unix socket of that path is replaced.
absl::StatusOr<int> Listen(std::string_view address);

// A connected socket; waits for the connection. `nth` counts the caller's connections: each block
// of 10,000 comes from another address of 127.0.0.0/8, so that ports do not run out. Closing it
// sends RST, so that no port lingers in TIME_WAIT.
absl::StatusOr<int> Connect(std::string_view address, unsigned nth);

// The next connection waiting at `listener`, or -1.
int Accept(int listener);

}  // namespace weir::benchmark
