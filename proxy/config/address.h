// The addresses of a configuration, as twemproxy writes them: `listen:` and the items of
// `servers:`.
//
// Syntax only, nothing is resolved. Pure functions, any thread. Errors say what was expected,
// without repeating the text.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/config/pool_config.h"

namespace weir {

// `host:port`, `[ipv6]:port`, `/path` or `/path MODE` (octal, at most 777).
absl::StatusOr<ListenConfig> ParseListen(std::string_view text);

// `host:port:weight`, `[ipv6]:port:weight` or `/path:weight`, each with ` name` behind it or not.
// Read from the end, as twemproxy does, so that a bare IPv6 address needs no brackets.
absl::StatusOr<ShardConfig> ParseServer(std::string_view text);

}  // namespace weir
