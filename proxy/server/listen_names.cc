#include "proxy/server/listen_names.h"

#include <chrono>
#include <utility>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr Duration kFresh = std::chrono::seconds(10);

}  // namespace

absl::StatusOr<ResolvedAddress> ListenNames::Find(const Endpoint& endpoint) {
  if (const auto literal = LiteralAddress(endpoint)) return *literal;
  if (auto known = Known(endpoint)) return *std::move(known);
  absl::StatusOr<Addresses> addresses = options_.lookup(endpoint.host, endpoint.port);
  if (!addresses.ok()) return std::move(addresses).status();
  return addresses->front();
}

absl::StatusOr<ResolvedAddress> ListenNames::Peek(const Endpoint& endpoint) {
  if (const auto literal = LiteralAddress(endpoint)) return *literal;
  Ask(endpoint);
  return *Known(endpoint);
}

std::optional<absl::StatusOr<ResolvedAddress>> ListenNames::Known(const Endpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  std::erase_if(names_, [now = Clock::now()](const auto& entry) {
    return !entry.second.asking && now - entry.second.answered > kFresh;
  });
  const auto found = names_.find(FormatEndpoint(endpoint));
  if (found == names_.end()) return std::nullopt;
  const Name& name = found->second;
  if (name.address.has_value()) return *name.address;
  return Unavailable(name.error);
}

void ListenNames::Ask(const Endpoint& endpoint) {
  std::string key = FormatEndpoint(endpoint);
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = names_.try_emplace(key);
    Name& name = entry->second;
    if (std::exchange(name.asking, true)) return;
    if (is_new || Clock::now() - name.answered > kFresh) {
      name.address.reset();
      name.error = StrCat("cannot resolve ", endpoint.host, ": no answer yet");
    }
  }
  if (resolver_ == nullptr) resolver_ = std::make_unique<Resolver>(options_);
  resolver_->Resolve(endpoint,
                     [this, key = std::move(key)](const auto& answer) { OnAnswer(key, answer); });
}

void ListenNames::OnAnswer(const std::string& key, const absl::StatusOr<Addresses>& answer) {
  const std::lock_guard lock(mutex_);
  Name& name = names_[key];
  name.asking = false;
  name.answered = Clock::now();
  name.address.reset();
  if (answer.ok()) {
    name.address = answer->front();
  } else {
    name.error = FromAbsl(answer.status().message());
  }
}

}  // namespace weir
