#include "proxy/config/address.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "proxy/base/strings.h"
#include "proxy/hashing/ring_name.h"

namespace weir {
namespace {

constexpr std::string_view kServerForm =
    "host:port:weight or /path:weight, with ' name' behind it or not";

std::optional<uint32_t> ParseMode(std::string_view text) {
  uint32_t mode = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  auto [stopped, error] = std::from_chars(begin, end, mode, 8);
  if (text.empty() || error != std::errc() || stopped != end || mode > 0777) return std::nullopt;
  return mode;
}

// Cuts what is behind the last `separator` off `text`; nothing when there is none.
std::optional<std::string_view> CutLast(std::string_view& text, char separator) {
  const size_t at = text.rfind(separator);
  if (at == text.npos) return std::nullopt;
  const std::string_view tail = text.substr(at + 1);
  text = text.substr(0, at);
  return tail;
}

absl::Status FillUnix(std::string_view path, std::string_view name, ShardConfig& shard) {
  absl::StatusOr<Endpoint> endpoint = ParseEndpoint(path);
  if (!endpoint.ok()) return endpoint.status();
  shard.endpoint = *std::move(endpoint);
  shard.ring_name = UnixRingName(name, path);
  return absl::OkStatus();
}

absl::Status FillTcp(std::string_view address, std::string_view name, ShardConfig& shard) {
  absl::StatusOr<Endpoint> endpoint = ParseEndpoint(address);
  if (!endpoint.ok()) return endpoint.status();
  shard.endpoint = *std::move(endpoint);
  std::string_view host = address;
  const std::string_view port = *CutLast(host, ':');
  shard.ring_name = RingName(name, host, port);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListenConfig> ParseListen(std::string_view text) {
  ListenConfig listen;
  std::string_view address = text;
  if (text.starts_with('/')) {
    if (const std::optional<std::string_view> mode = CutLast(address, ' ')) {
      listen.unix_mode = ParseMode(*mode);
      if (!listen.unix_mode) return InvalidArgument("an octal mode of at most 0777 after the path");
    }
  }
  absl::StatusOr<Endpoint> endpoint = ParseEndpoint(address);
  if (!endpoint.ok()) return endpoint.status();
  listen.endpoint = *std::move(endpoint);
  return listen;
}

absl::StatusOr<ShardConfig> ParseServer(std::string_view text) {
  std::string_view address = text;
  const std::optional<std::string_view> name = CutLast(address, ' ');
  if (name && name->empty()) return InvalidArgument("a name after the space");
  const std::optional<std::string_view> weight_text = CutLast(address, ':');
  if (!weight_text) return InvalidArgument(kServerForm);
  const bool is_unix = address.starts_with('/');
  if (!is_unix && address.find(':') == address.npos) return InvalidArgument(kServerForm);
  const std::optional<int32_t> weight = ParseInt<int32_t>(*weight_text);
  if (!weight || *weight < 1) return InvalidArgument("a weight >= 1 at the end of the address");

  ShardConfig shard;
  shard.weight = static_cast<uint32_t>(*weight);
  absl::Status status = is_unix ? FillUnix(address, name.value_or(""), shard)
                                : FillTcp(address, name.value_or(""), shard);
  if (!status.ok()) return status;
  shard.name = shard.ring_name;
  return shard;
}

}  // namespace weir
