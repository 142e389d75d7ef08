#include "proxy/server/live_pools.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/strings.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/hashing/ring_shard.h"

namespace weir {
namespace {

constexpr std::string_view kListenField = "policy.listen";

std::string AddressOf(const PoolConfig& pool) { return FormatEndpoint(pool.listen.endpoint); }

void AddLine(std::string_view line, std::string& text) {
  StrAppend(&text, text.empty() ? "" : "\n", line);
}

}  // namespace

struct LivePools::Change {
  Change(const Pools& in_force, const Pools& wanted) : before(in_force), after(in_force) {
    for (const auto& [name, pool] : wanted) {
      after[name] = pool;
      changed.insert(name);
    }
  }

  const Pools& before;
  Pools after;
  std::set<std::string> changed;  // and not refused
  std::vector<RefusedPool> refused = {};

  void Refuse(const std::string& pool, std::string_view field, std::string what,
              bool lasting = false) {
    refused.push_back({pool, std::string(field), std::move(what), lasting});
    changed.erase(pool);
    if (const auto old = before.find(pool); old != before.end()) {
      after[pool] = old->second;
    } else {
      after.erase(pool);
    }
  }
};

absl::StatusOr<SnapshotPtr> LivePools::Build(const Config& file, const Pools& control) const {
  Config config = file;
  for (const auto& [name, pool] : control) config.pools.push_back(pool);
  std::ranges::sort(config.pools, SortsBefore, &PoolConfig::name);
  return BuildSnapshot(config, snapshot_.get());
}

bool LivePools::HasInFile(const std::string& pool) const {
  return std::ranges::find(file_.pools, pool, &PoolConfig::name) != file_.pools.end();
}

absl::Status LivePools::SetFile(Config file) {
  std::string mistakes;
  for (const PoolConfig& pool : file.pools) {
    const std::string place = StrCat(pool.place.text, "pool '", pool.name, "'");
    if (control_.contains(pool.name)) {
      AddLine(
          StrCat(place, ": found a name that a pool of the control plane has, expected another"),
          mistakes);
    }
    for (const auto& [name, other] : control_) {
      if (AddressOf(other) != AddressOf(pool)) continue;
      AddLine(StrCat(place, ", key 'listen': found '", AddressOf(pool), "', which pool '", name,
                     "' of the control plane has, expected an address of its own"),
              mistakes);
    }
  }
  if (!mistakes.empty()) return InvalidArgument(mistakes);
  absl::StatusOr<SnapshotPtr> next = Build(file, control_);
  if (!next.ok()) return next.status();
  for (const ListenError& error : apply_(*next)) {
    AddLine(StrCat(error.place, "pool '", error.pool, "', key 'listen': ", error.what), mistakes);
  }
  if (!mistakes.empty()) return InvalidArgument(mistakes);
  file_ = std::move(file);
  snapshot_ = *std::move(next);
  return absl::OkStatus();
}

std::vector<RefusedPool> LivePools::ChangeControl(const Pools& changed,
                                                  const std::set<std::string>& removed) {
  Change change(control_, changed);
  for (const std::string& name : removed) change.after.erase(name);
  RefuseNames(change);
  // Each round refuses at least one of the changed pools; without them all is as it was.
  while (true) {
    RefuseAddresses(change);
    if (change.after == control_) break;
    const absl::StatusOr<SnapshotPtr> next = Build(file_, change.after);
    if (!next.ok()) {
      RefuseUnbuildable(change);
      continue;
    }
    const std::vector<ListenError> errors = apply_(*next);
    if (errors.empty()) {
      control_ = std::move(change.after);
      snapshot_ = *next;
      break;
    }
    Refuse(errors, change);
  }
  return std::move(change.refused);
}

bool LivePools::MayServeSomeOf(const Pools& wanted) const {
  Change change(control_, wanted);
  RefuseNames(change);
  while (true) {
    RefuseAddresses(change);
    if (change.changed.empty()) return false;
    std::vector<const PoolConfig*> pools;
    for (const PoolConfig& pool : file_.pools) pools.push_back(&pool);
    for (const auto& [name, pool] : change.after) pools.push_back(&pool);
    const std::vector<ListenError> errors = check_listen_(pools);
    if (errors.empty()) return true;
    Refuse(errors, change);
  }
}

void LivePools::Refuse(const std::vector<ListenError>& errors, Change& change) {
  const size_t before = change.changed.size();
  for (const ListenError& error : errors) {
    if (change.changed.contains(error.pool)) change.Refuse(error.pool, kListenField, error.what);
  }
  // A pool that did not change has its socket.
  CHECK_LT(change.changed.size(), before);
}

void LivePools::RefuseNames(Change& change) const {
  for (const std::string& name : std::set<std::string>(change.changed)) {
    if (!HasInFile(name)) continue;
    change.Refuse(name, "",
                  "found a name that a pool of the proxy's own configuration file has, expected "
                  "another");
  }
}

void LivePools::RefuseUnbuildable(Change& change) const {
  const size_t before = change.changed.size();
  for (const std::string& name : std::set<std::string>(change.changed)) {
    const absl::Status built = BuildSnapshot({{change.after.at(name)}}, snapshot_.get()).status();
    if (built.ok()) continue;
    change.Refuse(name, "", std::string(FromAbsl(built.message())), /*lasting=*/true);
  }
  CHECK_LT(change.changed.size(), before);
}

// Who has an address keeps it; of two that want it the first by name gets it. A pool that is
// refused goes back to the address it had, which may refuse another.
void LivePools::RefuseAddresses(Change& change) const {
  bool again = true;
  while (again) {
    again = false;
    std::map<std::string, std::string> owners;
    for (const PoolConfig& pool : file_.pools) owners.emplace(AddressOf(pool), pool.name);
    for (const auto& [name, pool] : change.after) {
      if (!change.changed.contains(name)) owners.emplace(AddressOf(pool), name);
    }
    for (const std::string& name : std::set<std::string>(change.changed)) {
      const std::string address = AddressOf(change.after.at(name));
      const auto [owner, is_new] = owners.emplace(address, name);
      if (is_new) continue;
      change.Refuse(name, kListenField,
                    StrCat("found '", address, "', which pool '", owner->second,
                           "' has, expected an address of its own"));
      again = true;
    }
  }
}

}  // namespace weir
