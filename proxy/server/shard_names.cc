#include "proxy/server/shard_names.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "proxy/base/log.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// The shorter of two resolve_intervals, of which 0 means never.
absl::Duration ShorterInterval(absl::Duration a, absl::Duration b) {
  if (a == absl::ZeroDuration()) return b;
  if (b == absl::ZeroDuration()) return a;
  return std::min(a, b);
}

}  // namespace

ShardNames::ShardNames(Resolver::Options options, OnAddresses on_addresses)
    : on_addresses_(std::move(on_addresses)),
      resolver_(std::make_unique<Resolver>(std::move(options))) {}

ShardNames::~ShardNames() { Stop(); }

void ShardNames::Stop() { resolver_.reset(); }

void ShardNames::Apply(const Snapshot& snapshot) {
  Names next;
  bool placeless = false;
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    const absl::Duration interval = pool->config.resolve_interval;
    for (const ShardConfig& shard : pool->config.servers) {
      if (LiteralAddress(shard.endpoint).has_value()) continue;
      if (shard.HasNoPlace()) {
        placeless = true;
        continue;
      }
      auto [it, is_new] = next.try_emplace(FormatEndpoint(shard.endpoint));
      it->second.endpoint = shard.endpoint;
      if (is_new) it->second.user = StrCat(pool->config.name, "/", shard.name);
      it->second.interval = is_new ? interval : ShorterInterval(it->second.interval, interval);
    }
  }
  {
    std::lock_guard lock(mutex_);
    if (placeless) on_addresses_(Endpoint(), {});
    for (auto& [key, name] : next) {
      auto old = names_.find(key);
      if (old != names_.end()) name.addresses = old->second.addresses;
      if (old != names_.end() && old->second.interval == name.interval) {
        name.watch = std::move(old->second.watch);
      } else {
        name.watch = resolver_->WatchEndpoint(
            name.endpoint, name.interval,
            [this, key = key](const absl::StatusOr<Addresses>& answer) { OnAnswer(key, answer); },
            name.user);
      }
      if (!name.addresses.empty()) on_addresses_(name.endpoint, name.addresses);
    }
    names_.swap(next);
  }
  next.clear();
}

void ShardNames::Refresh(const Endpoint& endpoint) {
  std::lock_guard lock(mutex_);
  if (names_.empty()) return;
  auto found = names_.find(FormatEndpoint(endpoint));
  if (found != names_.end()) found->second.watch.Refresh();
}

void ShardNames::OnAnswer(const std::string& key, const absl::StatusOr<Addresses>& answer) {
  std::lock_guard lock(mutex_);
  auto found = names_.find(key);
  if (found == names_.end()) return;
  Name& name = found->second;
  if (answer.ok()) {
    name.addresses = *answer;
    LOG_EVENT(LogLevel::kNotice, "shard_resolved", {"name", key},
              {"address", answer->front().ToString()}, {"addresses", answer->size()});
  } else if (!name.addresses.empty()) {
    return;  // of a new watch on a name that was known before
  }
  on_addresses_(name.endpoint, name.addresses);
}

}  // namespace weir
