#include "controlplane/server/address_book.h"

#include <algorithm>
#include <utility>

#include "controlplane/store/endpoint_resolver.h"

namespace weir {
namespace {

// Where a policy has no resolve_interval, or 0, which at a proxy means "at reconnects only".
constexpr absl::Duration kDefaultInterval = absl::Seconds(30);

absl::Duration IntervalOf(const v1::PoolPolicy& policy) {
  const uint32_t milliseconds = policy.resolve_interval();
  return milliseconds == 0 ? kDefaultInterval : absl::Milliseconds(milliseconds);
}

}  // namespace

void AddressBook::SetPool(const v1::PoolRecord& record) {
  Need need{.endpoints = {}, .interval = IntervalOf(record.spec().policy())};
  for (const v1::Slot& slot : record.shard_map().slots()) {
    if (LiteralAddressOf(slot.endpoint()).empty()) need.endpoints.insert(slot.endpoint());
  }
  const std::lock_guard lock(mutex_);
  needs_[record.name()] = std::move(need);
  ForgetUnneeded();
}

void AddressBook::RemovePool(const std::string& pool) {
  const std::lock_guard lock(mutex_);
  needs_.erase(pool);
  ForgetUnneeded();
}

void AddressBook::ForgetUnneeded() {
  std::erase_if(resolved_, [this](const auto& resolved) {
    return std::ranges::none_of(needs_, [&resolved](const auto& need) {
      return need.second.endpoints.contains(resolved.first);
    });
  });
}

ObservedAddresses AddressBook::Of(const v1::PoolRecord& record) const {
  ObservedAddresses observed;
  const std::lock_guard lock(mutex_);
  for (const v1::Slot& slot : record.shard_map().slots()) {
    std::string literal = LiteralAddressOf(slot.endpoint());
    if (!literal.empty()) {
      observed[slot.name()] = {std::move(literal)};
    } else if (const auto found = resolved_.find(slot.endpoint()); found != resolved_.end()) {
      observed[slot.name()] = found->second;
    }
  }
  return observed;
}

std::map<std::string, absl::Duration> AddressBook::Names() const {
  std::map<std::string, absl::Duration> names;
  const std::lock_guard lock(mutex_);
  for (const auto& [pool, need] : needs_) {
    for (const std::string& endpoint : need.endpoints) {
      const auto [name, is_new] = names.try_emplace(endpoint, need.interval);
      if (!is_new) name->second = std::min(name->second, need.interval);
    }
  }
  return names;
}

std::vector<std::string> AddressBook::SetAddresses(const std::string& endpoint,
                                                   std::vector<std::string> addresses) {
  std::vector<std::string> changed;
  const std::lock_guard lock(mutex_);
  for (const auto& [pool, need] : needs_) {
    if (need.endpoints.contains(endpoint)) changed.push_back(pool);
  }
  if (changed.empty()) return changed;  // nobody needs it any longer
  std::vector<std::string>& known = resolved_[endpoint];
  if (known == addresses) return {};
  known = std::move(addresses);
  return changed;
}

}  // namespace weir
