#include "controlplane/store/endpoint_resolver.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"

namespace weir {
namespace {

std::vector<std::string> Sorted(const Addresses& addresses) {
  std::vector<std::string> texts;
  for (const ResolvedAddress& address : addresses) texts.push_back(address.ToString());
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

}  // namespace

EndpointResolver::EndpointResolver(Callback on_addresses, Resolver::Options options)
    : on_addresses_(std::move(on_addresses)), resolver_(std::move(options)) {}

void EndpointResolver::SetEndpoints(const std::map<std::string, absl::Duration>& endpoints) {
  std::erase_if(watched_, [&endpoints](const auto& entry) {
    const auto wanted = endpoints.find(entry.first);
    return wanted == endpoints.end() || wanted->second != entry.second.interval;
  });
  for (const auto& [text, interval] : endpoints) {
    const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text);
    if (!endpoint.ok() || LiteralAddress(*endpoint) || watched_.contains(text)) continue;
    const auto on_change = [this, text = text](const absl::StatusOr<Addresses>& addresses) {
      if (addresses.ok()) on_addresses_(text, Sorted(*addresses));
    };
    watched_[text] = {interval, resolver_.WatchEndpoint(*endpoint, interval, on_change)};
  }
}

std::string LiteralAddressOf(std::string_view endpoint) {
  const absl::StatusOr<Endpoint> parsed = ParseEndpoint(endpoint);
  const std::optional<ResolvedAddress> address =
      parsed.ok() ? LiteralAddress(*parsed) : std::nullopt;
  return address ? address->ToString() : "";
}

}  // namespace weir
