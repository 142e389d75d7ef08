// Where a socket listens or connects: a host and port, or a Unix socket's path.
//
// A plain value: nothing is resolved here, and no socket is opened. Pure functions, callable from
// any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace weir {

enum class EndpointKind : uint8_t { kTcp, kUnix };

struct Endpoint {
  EndpointKind kind = EndpointKind::kTcp;
  std::string host;   // kTcp: a name or an address; IPv6 without its brackets
  uint16_t port = 0;  // kTcp: 1 to 65535 when parsed; code may use 0 to let the kernel choose
  std::string path;   // kUnix: absolute

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

Endpoint TcpEndpoint(std::string_view host, uint16_t port);
Endpoint UnixEndpoint(std::string_view path);

// Longest path that fits in a sockaddr_un with its terminating zero.
inline constexpr size_t kMaxUnixPath = 107;

// Parses `HOST:PORT` from its end (so a bare IPv6 address works: `::1:6379`), `[IPV6]:PORT`, or
// `/PATH`. The error says what was expected, without repeating the text. A host
// with ':' in it that is no IPv6 address is refused: `127.0.0.1:6379:1` has a weight behind it.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text);

// A host as written in a configuration, without the brackets of an IPv6 address. Fails when it is
// empty, holds white space or '/', or has unpaired brackets.
absl::StatusOr<std::string> ParseHost(std::string_view text);

// 1 to 65535 in decimal digits.
absl::StatusOr<uint16_t> ParsePort(std::string_view text);

// The form that ParseEndpoint reads; IPv6 in brackets.
std::string FormatEndpoint(const Endpoint& endpoint);

}  // namespace weir
