#include "controlplane/server/address_book.h"

#include <algorithm>
#include <utility>

#include "controlplane/store/endpoint_resolver.h"

namespace weir {
namespace {

// Where a policy has no resolve_interval, or 0, which at a proxy means "at reconnects only".
constexpr absl::Duration kDefaultInterval = absl::Seconds(30);
// One thread looks all names up, one after the other.
constexpr absl::Duration kShortestInterval = absl::Seconds(1);

absl::Duration IntervalOf(const v1::PoolPolicy& policy) {
  const uint32_t milliseconds = policy.resolve_interval();
  if (milliseconds == 0) return kDefaultInterval;
  return std::max(absl::Milliseconds(milliseconds), kShortestInterval);
}

bool IsName(const std::string& endpoint) { return LiteralAddressOf(endpoint).empty(); }

}  // namespace

void AddressBook::Remember(KnownAddresses known) {
  const std::lock_guard lock(mutex_);
  resolved_ = std::move(known.resolved);
  remembered_ = std::move(known.kept);
}

void AddressBook::SetPool(const v1::PoolRecord& record) {
  Need need{.slots = {}, .interval = IntervalOf(record.spec().policy())};
  const std::lock_guard lock(mutex_);
  for (const v1::Slot& slot : record.shard_map().slots()) {
    need.slots[slot.name()] = {.endpoint = slot.endpoint(),
                               .before = AddressesIn(record.name(), slot.name(), slot.endpoint())};
  }
  RemoveUser(record.name());
  for (const auto& [name, place] : need.slots) users_[place.endpoint].insert(record.name());
  Need& place = needs_[record.name()];
  if (KeptOf(place) != KeptOf(need)) ++changes_;
  place = std::move(need);
  remembered_.erase(record.name());
}

KeptAddresses::mapped_type AddressBook::KeptOf(const Need& need) const {
  KeptAddresses::mapped_type kept;
  for (const auto& [name, place] : need.slots) {
    if (!place.before.empty() && AddressesOf(place.endpoint).empty()) kept[name] = place.before;
  }
  return kept;
}

void AddressBook::RemovePool(const std::string& pool) {
  const std::lock_guard lock(mutex_);
  RemoveUser(pool);
  const auto need = needs_.find(pool);
  if (need == needs_.end()) return;
  if (!KeptOf(need->second).empty()) ++changes_;
  needs_.erase(need);
}

void AddressBook::RemoveUser(const std::string& pool) {
  const auto need = needs_.find(pool);
  if (need == needs_.end()) return;
  for (const auto& [name, place] : need->second.slots) {
    const auto users = users_.find(place.endpoint);
    if (users == users_.end()) continue;  // of another slot, too
    users->second.erase(pool);
    if (users->second.empty()) users_.erase(users);
  }
}

void AddressBook::Forget(const std::map<std::string, absl::Duration>& names) {
  const std::lock_guard lock(mutex_);
  watched_ = names;
  const size_t forgotten = std::erase_if(resolved_, [&](const auto& resolved) {
    return !names.contains(resolved.first) && !IsNeeded(resolved.first);
  });
  if (forgotten + remembered_.size() > 0) ++changes_;
  remembered_.clear();
}

std::vector<std::string> AddressBook::AddressesOf(const std::string& endpoint) const {
  std::string literal = LiteralAddressOf(endpoint);
  if (!literal.empty()) return {std::move(literal)};
  const auto found = resolved_.find(endpoint);
  return found == resolved_.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::string> AddressBook::AddressesOf(const Place& place) const {
  std::vector<std::string> addresses = AddressesOf(place.endpoint);
  return addresses.empty() ? place.before : addresses;
}

std::vector<std::string> AddressBook::AddressesIn(const std::string& pool, const std::string& slot,
                                                  const std::string& endpoint) const {
  std::vector<std::string> addresses = AddressesOf(endpoint);
  if (!addresses.empty()) return addresses;
  if (const auto known = remembered_.find(pool); known != remembered_.end()) {
    const auto kept = known->second.find(slot);
    if (kept != known->second.end()) return kept->second;
  }
  const auto need = needs_.find(pool);
  if (need == needs_.end()) return {};
  const auto place = need->second.slots.find(slot);
  return place == need->second.slots.end() ? addresses : AddressesOf(place->second);
}

ObservedAddresses AddressBook::Of(const v1::PoolRecord& record) const {
  ObservedAddresses observed;
  const std::lock_guard lock(mutex_);
  for (const v1::Slot& slot : record.shard_map().slots()) {
    auto addresses = AddressesIn(record.name(), slot.name(), slot.endpoint());
    if (!addresses.empty()) observed[slot.name()] = std::move(addresses);
  }
  return observed;
}

bool AddressBook::Knows(const std::string& endpoint) const {
  const std::lock_guard lock(mutex_);
  return !AddressesOf(endpoint).empty();
}

void AddressBook::Expect(const std::set<std::string>& endpoints) {
  const std::lock_guard lock(mutex_);
  expected_.insert(endpoints.begin(), endpoints.end());
}

void AddressBook::StopExpecting(const std::set<std::string>& endpoints) {
  const std::lock_guard lock(mutex_);
  for (const std::string& endpoint : endpoints) expected_.extract(endpoint);
}

void AddressBook::AwaitKnown(const std::set<std::string>& endpoints, Duration at_most) const {
  std::unique_lock lock(mutex_);
  found_.wait_for(lock, at_most, [&] {
    return std::ranges::none_of(
        endpoints, [this](const std::string& endpoint) { return AddressesOf(endpoint).empty(); });
  });
}

std::map<std::string, absl::Duration> AddressBook::Names() const {
  std::map<std::string, absl::Duration> names;
  const std::lock_guard lock(mutex_);
  for (const std::string& endpoint : expected_) {
    if (IsName(endpoint)) names.try_emplace(endpoint, kDefaultInterval);
  }
  for (const auto& [pool, need] : needs_) {
    for (const auto& [slot, place] : need.slots) {
      if (!IsName(place.endpoint)) continue;
      const auto [name, is_new] = names.try_emplace(place.endpoint, need.interval);
      if (!is_new) name->second = std::min(name->second, need.interval);
    }
  }
  return names;
}

std::vector<std::string> AddressBook::SetAddresses(const std::string& endpoint,
                                                   std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex_);
  if (!IsNeeded(endpoint) && !watched_.contains(endpoint)) return {};
  std::vector<std::string>& known = resolved_[endpoint];
  if (known == addresses) return {};
  known = std::move(addresses);
  ++changes_;
  found_.notify_all();
  const auto users = users_.find(endpoint);
  if (users == users_.end()) return {};  // expected by a change
  return {users->second.begin(), users->second.end()};
}

KnownAddresses AddressBook::Resolved() const {
  KnownAddresses known;
  const std::lock_guard lock(mutex_);
  known.resolved = resolved_;
  for (const auto& [pool, need] : needs_) {
    KeptAddresses::mapped_type kept = KeptOf(need);
    if (!kept.empty()) known.kept[pool] = std::move(kept);
  }
  return known;
}

uint64_t AddressBook::Changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

}  // namespace weir
