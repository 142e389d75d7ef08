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
  std::erase_if(watched_, [&](const auto& entry) {
    const auto wanted = endpoints.find(entry.first);
    if (wanted != endpoints.end() && wanted->second == entry.second.interval) return false;
    LookedUp(entry.first);  // nobody waits for it any longer
    return true;
  });
  for (const auto& [text, interval] : endpoints) {
    const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text);
    if (!endpoint.ok() || LiteralAddress(*endpoint) || watched_.contains(text)) continue;
    const auto on_change = [this, text = text](const absl::StatusOr<Addresses>& addresses) {
      if (addresses.ok()) on_addresses_(text, Sorted(*addresses));
      LookedUp(text);
    };
    {
      const std::lock_guard lock(mutex_);
      expected_.insert(text);
    }
    watched_[text] = {interval, resolver_.WatchEndpoint(*endpoint, interval, on_change)};
  }
}

void EndpointResolver::LookedUp(const std::string& endpoint) {
  {
    const std::lock_guard lock(mutex_);
    if (expected_.erase(endpoint) == 0 || !expected_.empty()) return;
  }
  looked_up_.notify_all();
}

bool EndpointResolver::WaitForFirstLookups(absl::Duration at_most) {
  std::unique_lock lock(mutex_);
  return looked_up_.wait_for(lock, absl::ToChronoNanoseconds(at_most),
                             [this] { return expected_.empty(); });
}

std::string LiteralAddressOf(std::string_view endpoint) {
  const absl::StatusOr<Endpoint> parsed = ParseEndpoint(endpoint);
  const std::optional<ResolvedAddress> address =
      parsed.ok() ? LiteralAddress(*parsed) : std::nullopt;
  return address ? address->ToString() : "";
}

}  // namespace weir
