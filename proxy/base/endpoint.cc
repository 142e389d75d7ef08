#include "proxy/base/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "proxy/base/strings.h"

namespace weir {
namespace {

bool IsHostCharacter(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != '/' && c != '[' && c != ']' && c != '\x7f';
}

// With or without a zone, as in fe80::1%eth0.
bool IsIpv6(std::string_view text) {
  in6_addr address;
  return inet_pton(AF_INET6, std::string(text.substr(0, text.find('%'))).c_str(), &address) == 1;
}

}  // namespace

Endpoint TcpEndpoint(std::string_view host, uint16_t port) {
  return {.kind = EndpointKind::kTcp, .host = std::string(host), .port = port, .path = {}};
}

Endpoint UnixEndpoint(std::string_view path) {
  return {.kind = EndpointKind::kUnix, .host = {}, .port = 0, .path = std::string(path)};
}

absl::StatusOr<std::string> ParseHost(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == text.npos) return InvalidArgument("an IPv6 address between [ and ]");
  }
  if (text.empty() || !std::ranges::all_of(text, IsHostCharacter)) {
    return InvalidArgument("a host name or address before the port");
  }
  if (text.find(':') != text.npos && !IsIpv6(text)) {
    return InvalidArgument("a host name, an IPv4 or an IPv6 address, then ':' and a port");
  }
  return std::string(text);
}

absl::StatusOr<uint16_t> ParsePort(std::string_view text) {
  // Parsed wide, because twemproxy accepts leading zeros and a port may be followed by junk.
  const std::optional<uint64_t> port = ParseInt<uint64_t>(text);
  if (!port || *port < 1 || *port > 65535) return InvalidArgument("a port from 1 to 65535");
  return static_cast<uint16_t>(*port);
}

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text) {
  if (text.starts_with('/')) {
    if (text.size() > kMaxUnixPath || text.find('\0') != text.npos) {
      return InvalidArgument("a socket path of at most ", kMaxUnixPath, " bytes");
    }
    return UnixEndpoint(text);
  }
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return InvalidArgument("host:port, [ipv6]:port or /path");
  absl::StatusOr<std::string> host = ParseHost(text.substr(0, colon));
  if (!host.ok()) return host.status();
  absl::StatusOr<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port.ok()) return port.status();
  return TcpEndpoint(*host, *port);
}

std::string FormatEndpoint(const Endpoint& endpoint) {
  if (endpoint.kind == EndpointKind::kUnix) return endpoint.path;
  if (endpoint.host.find(':') != endpoint.host.npos) {
    return StrCat("[", endpoint.host, "]:", endpoint.port);
  }
  return StrCat(endpoint.host, ":", endpoint.port);
}

}  // namespace weir
