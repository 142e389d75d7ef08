// The part of ControlPlane that follows the addresses of names: changes that are suspended until
// theirs are known, and pools that change because an address has come.
#include <algorithm>
#include <utility>

#include "controlplane/model/shard_changes.h"
#include "controlplane/server/change_log.h"
#include "controlplane/server/control_plane.h"

namespace weir {

// --- suspended changes ---

std::set<std::string> ControlPlane::NamesToLookUp(const v1::PoolRecord* before,
                                                  const v1::PoolRecord& after) const {
  if (parts_.look_up == Duration::zero()) return {};
  std::set<std::string> names = UnknownEndpoints(after);
  if (before == nullptr) return names;
  for (const std::string& name : UnknownEndpoints(*before)) names.erase(name);
  return names;
}

void ControlPlane::Suspend(const std::set<std::string>& names, NameWaits::Change change) {
  addresses_.Expect(names);
  const auto resume = [this, names, change = std::move(change)] {
    change();
    addresses_.StopExpecting(names);
  };
  if (!name_waits_.Add(names, parts_.moment() + parts_.look_up, resume)) return resume();
  parts_.wake();
}

void ControlPlane::EndWaits() {
  publisher_.EndWaits();
  name_waits_.End();
  parts_.wake();
}

// --- pools whose addresses have come ---

void ControlPlane::SetAddresses(const std::string& endpoint, std::vector<std::string> addresses) {
  const std::vector<std::string> changed = addresses_.SetAddresses(endpoint, std::move(addresses));
  const Moment due = parts_.moment() + Publisher::kQuiet;
  const std::lock_guard lock(mutex_);
  for (const std::string& pool : changed) refreshes_.try_emplace(pool, due);
}

std::vector<std::string> ControlPlane::TakeRefreshes(Moment now) {
  std::vector<std::string> pools;
  const std::lock_guard lock(mutex_);
  for (const auto& [pool, due] : refreshes_) {
    if (due <= now) pools.push_back(pool);
  }
  for (const std::string& pool : pools) refreshes_.erase(pool);
  return pools;
}

Moment ControlPlane::RefreshPools(Moment now) {
  for (const std::string& pool : TakeRefreshes(now)) {
    const std::lock_guard lock(LockOf(pool));
    const PoolPtr state = Find(pool);
    if (state == nullptr || ActivateFound(state)) continue;
    Adopt(pool, MakeState(state->stored));
  }
  const auto knows = [this](const std::string& endpoint) { return addresses_.Knows(endpoint); };
  for (const NameWaits::Change& change : name_waits_.TakeOver(now, knows)) change();
  Moment next = name_waits_.NextDue();
  const std::lock_guard lock(mutex_);
  for (const auto& [pool, due] : refreshes_) next = std::min(next, due);
  return next;
}

bool ControlPlane::ActivateFound(const PoolPtr& before) {
  const std::string& pool = before->record().name();
  const Caller resolver{.name = "weir-control", .origin = "address found"};
  const ChangeResult result = weir::ActivateFound(before->record(), ContextOf(pool, resolver));
  if (!result.ok() || !result.change().write) return false;
  PoolPtr after = before;
  // What fails is logged there, and tried again.
  Write(result.change(), before, after).IgnoreError();
  if (after == before) return false;
  LogChange(result.change(), pool, resolver.name, resolver.origin);
  return true;
}

bool ControlPlane::HasFound(const v1::PoolRecord& record) const {
  return std::ranges::any_of(record.shard_map().slots(), [this](const v1::Slot& slot) {
    return slot.state() == v1::SLOT_PENDING && addresses_.Knows(slot.endpoint());
  });
}

std::set<std::string> ControlPlane::UnknownEndpoints(const v1::PoolRecord& record) const {
  std::set<std::string> endpoints;
  for (const v1::Slot& slot : record.shard_map().slots()) {
    if (!addresses_.Knows(slot.endpoint())) endpoints.insert(slot.endpoint());
  }
  return endpoints;
}

}  // namespace weir
