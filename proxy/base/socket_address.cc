#include "proxy/base/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

std::optional<ResolvedAddress> UnixAddress(std::string_view path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return MakeAddress(reinterpret_cast<const sockaddr*>(&address),
                     offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

std::string_view WithoutBrackets(std::string_view host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

uint16_t ResolvedAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  if (family() == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return 0;
}

std::string ResolvedAddress::ToString() const {
  if (is_unix()) {
    const auto* address = reinterpret_cast<const sockaddr_un*>(&storage);
    const size_t header = offsetof(sockaddr_un, sun_path);
    if (length <= header) return "(unnamed unix socket)";
    return std::string(address->sun_path, strnlen(address->sun_path, length - header));
  }
  std::array<char, NI_MAXHOST> host;
  if (getnameinfo(get(), length, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "(no address)";
  }
  if (family() == AF_INET6) return StrCat("[", host.data(), "]:", port());
  return StrCat(host.data(), ":", port());
}

bool operator==(const ResolvedAddress& a, const ResolvedAddress& b) {
  return a.length == b.length && std::memcmp(&a.storage, &b.storage, a.length) == 0;
}

ResolvedAddress MakeAddress(const sockaddr* address, socklen_t length) {
  ResolvedAddress made;
  CHECK(length <= sizeof(made.storage));
  std::memcpy(&made.storage, address, length);
  made.length = length;
  return made;
}

ResolvedAddress WithPort(ResolvedAddress address, uint16_t port) {
  if (address.family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  } else if (address.family() == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
  }
  return address;
}

std::optional<ResolvedAddress> LiteralAddress(std::string_view host, uint16_t port) {
  if (!host.empty() && host.front() == '/') return UnixAddress(host);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  const std::string name(WithoutBrackets(host));
  if (name.empty() || name.find('\0') != std::string::npos) return std::nullopt;
  addrinfo* found = nullptr;
  if (getaddrinfo(name.c_str(), StrCat(port).c_str(), &hints, &found) != 0) return std::nullopt;
  const ResolvedAddress address = MakeAddress(found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return address;
}

std::optional<ResolvedAddress> LiteralAddress(const Endpoint& endpoint) {
  if (endpoint.kind == EndpointKind::kUnix) return UnixAddress(endpoint.path);
  return LiteralAddress(endpoint.host, endpoint.port);
}

bool IsLoopback(const Endpoint& endpoint) {
  if (endpoint.kind == EndpointKind::kUnix || endpoint.host == "localhost") return true;
  const std::optional<ResolvedAddress> address = LiteralAddress(endpoint.host, 1);
  if (!address) return false;
  if (address->family() == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address->get())->sin6_addr);
  }
  const uint32_t host =
      ntohl(reinterpret_cast<const sockaddr_in*>(address->get())->sin_addr.s_addr);
  return host >> 24 == IN_LOOPBACKNET;
}

}  // namespace weir
