#include "proxy/server/listen_names.h"

#include <chrono>
#include <utility>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr Duration kFresh = std::chrono::seconds(10);

absl::StatusOr<ResolvedAddress> FirstOf(const absl::StatusOr<Addresses>& addresses) {
  // A status of the caller's own: absl counts the references of a shared one out of the thread
  // sanitizer's sight.
  if (!addresses.ok()) {
    return absl::Status(addresses.status().code(), addresses.status().message());
  }
  return addresses->front();
}

}  // namespace

absl::StatusOr<ResolvedAddress> ListenNames::Find(const Endpoint& endpoint) {
  if (const auto literal = LiteralAddress(endpoint)) return *literal;
  if (auto known = Known(endpoint)) return *std::move(known);
  return FirstOf(options_.lookup(endpoint.host, endpoint.port));
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
  if (name.answer.has_value()) return FirstOf(*name.answer);
  return Unavailable("cannot resolve ", endpoint.host, ": no answer yet");
}

void ListenNames::Ask(const Endpoint& endpoint) {
  std::string key = FormatEndpoint(endpoint);
  {
    const std::lock_guard lock(mutex_);
    Name& name = names_[key];
    if (std::exchange(name.asking, true)) return;
    if (Clock::now() - name.answered > kFresh) name.answer.reset();
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
  name.answer = answer;
}

}  // namespace weir
