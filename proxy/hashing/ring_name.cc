#include "proxy/hashing/ring_name.h"

#include "proxy/base/strings.h"

namespace weir {
namespace {

// The port that ketama's first users left out of their server lists.
constexpr uint16_t kKetamaDefaultPort = 11211;

}  // namespace

std::string RingName(std::string_view name, std::string_view host, std::string_view port) {
  if (!name.empty()) return std::string(name);
  if (ParseInt<uint16_t>(port) == kKetamaDefaultPort) return std::string(host);
  return StrCat(host, ":", port);
}

std::string RingName(std::string_view name, std::string_view host, uint16_t port) {
  return RingName(name, host, std::string_view(std::to_string(port)));
}

std::string UnixRingName(std::string_view name, std::string_view path) {
  return name.empty() ? StrCat(path, ":") : std::string(name);
}

}  // namespace weir
