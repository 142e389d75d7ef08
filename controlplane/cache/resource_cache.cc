#include "controlplane/cache/resource_cache.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "proxy/base/check.h"

namespace weir {
namespace cache_internal {

struct WatchState {
  std::mutex mutex;            // held while `wake` runs
  std::function<void()> wake;  // null when the watch has ended
  std::atomic<bool> woken{false};
};

}  // namespace cache_internal

namespace {

// `now`, or `before` when that is the same: streams compare pointers first.
ResourcePtr Renewed(const ResourcePtr& before, v1::Resource now) {
  if (before != nullptr && SameState(before->message, now)) return before;
  return MakeCached(std::move(now));
}

}  // namespace

ResourceWatch::ResourceWatch(ResourceCache& cache, std::string fleet,
                             std::shared_ptr<cache_internal::WatchState> state)
    : cache_(cache), fleet_(std::move(fleet)), state_(std::move(state)) {}

ResourceWatch::~ResourceWatch() { cache_.EndWatch(fleet_, *state_); }

FleetViewPtr ResourceWatch::Take() {
  // In this order: a change between the two lines wakes once more than needed, never once less.
  state_->woken.store(false);
  return cache_.View(fleet_);
}

void ResourceCache::SetPool(std::string_view fleet, v1::Resource pool, v1::Resource endpoints) {
  CHECK_EQ(pool.key().type(), v1::RESOURCE_POOL);
  CHECK_EQ(endpoints.key().type(), v1::RESOURCE_ENDPOINTS);
  CHECK_EQ(pool.key().name(), endpoints.key().name());
  Watches watches;
  {
    std::lock_guard lock(mutex_);
    Fleet& of = FleetOf(fleet);
    PoolEntry& entry = of.pools[pool.key().name()];
    PoolEntry next = {.pool = Renewed(entry.pool, std::move(pool)),
                      .endpoints = Renewed(entry.endpoints, std::move(endpoints))};
    if (next.pool == entry.pool && next.endpoints == entry.endpoints) return;
    entry = std::move(next);
    places_->SetExisting(entry.pool->message);
    watches = BuildView(of);
  }
  Wake(watches);
}

void ResourceCache::SetDeleted(std::span<const v1::RemovedResource> deleted,
                               const std::optional<google::protobuf::Timestamp>& forgotten_before) {
  std::lock_guard lock(mutex_);
  places_->SetDeleted(deleted, forgotten_before, [this](const std::string& pool) {
    return std::ranges::any_of(
        fleets_, [&pool](const auto& fleet) { return fleet.second.pools.contains(pool); });
  });
}

void ResourceCache::RemovePool(std::string_view fleet, std::string_view pool) {
  Watches watches;
  {
    std::lock_guard lock(mutex_);
    const auto of = fleets_.find(fleet);
    if (of == fleets_.end()) return;
    const auto entry = of->second.pools.find(pool);
    if (entry == of->second.pools.end()) return;
    of->second.pools.erase(entry);
    watches = BuildView(of->second);
    ForgetIfUnused(fleet);
  }
  Wake(watches);
}

void ResourceCache::SetSecret(v1::Resource secret) {
  CHECK_EQ(secret.key().type(), v1::RESOURCE_SECRET);
  Watches watches;
  {
    std::lock_guard lock(mutex_);
    const std::string name = secret.key().name();
    ResourcePtr& entry = secrets_[name];
    ResourcePtr next = Renewed(entry, std::move(secret));
    if (next == entry) return;
    entry = std::move(next);
    watches = BuildViewsWithSecret(name);
  }
  Wake(watches);
}

void ResourceCache::RemoveSecret(std::string_view name) {
  Watches watches;
  {
    std::lock_guard lock(mutex_);
    const auto entry = secrets_.find(name);
    if (entry == secrets_.end()) return;
    secrets_.erase(entry);
    watches = BuildViewsWithSecret(name);
  }
  Wake(watches);
}

bool ResourceCache::HasSecret(std::string_view name) const {
  std::lock_guard lock(mutex_);
  return secrets_.contains(name);
}

FleetViewPtr ResourceCache::View(std::string_view fleet) const {
  std::lock_guard lock(mutex_);
  const auto of = fleets_.find(fleet);
  return of == fleets_.end() ? no_pools_ : of->second.view;
}

std::unique_ptr<ResourceWatch> ResourceCache::Watch(std::string_view fleet,
                                                    std::function<void()> wake) {
  auto state = std::make_shared<cache_internal::WatchState>();
  state->wake = std::move(wake);
  {
    std::lock_guard lock(mutex_);
    FleetOf(fleet).watches.push_back(state);
  }
  return std::unique_ptr<ResourceWatch>(
      new ResourceWatch(*this, std::string(fleet), std::move(state)));
}

void ResourceCache::EndWatch(const std::string& fleet, cache_internal::WatchState& state) {
  {
    std::lock_guard lock(mutex_);
    Watches& watches = FleetOf(fleet).watches;
    const auto at =
        std::ranges::find(watches, &state, [](const auto& watch) { return watch.get(); });
    CHECK(at != watches.end());
    std::swap(*at, watches.back());
    watches.pop_back();
    ForgetIfUnused(fleet);
  }
  std::lock_guard lock(state.mutex);
  state.wake = nullptr;
}

void ResourceCache::Wake(const Watches& watches) {
  for (const auto& watch : watches) {
    if (watch->woken.exchange(true)) continue;
    std::lock_guard lock(watch->mutex);
    if (watch->wake) watch->wake();
  }
}

ResourceCache::Watches ResourceCache::BuildView(Fleet& fleet) const {
  auto view = std::make_shared<FleetView>();
  view->places = places_;
  std::set<std::string_view> names;
  for (const auto& [name, pool] : fleet.pools) names.insert(pool.pool->secret_name());
  // In the order of ResourceId: secrets, then each pool with its endpoints.
  for (const std::string_view name : names) {
    if (const auto secret = secrets_.find(name); secret != secrets_.end()) {
      view->resources.push_back(secret->second);
    }
  }
  for (const auto& [name, pool] : fleet.pools) {
    view->resources.push_back(pool.pool);
    view->resources.push_back(pool.endpoints);
  }
  fleet.view = std::move(view);
  return fleet.watches;
}

ResourceCache::Watches ResourceCache::BuildViewsWithSecret(std::string_view name) {
  Watches watches;
  for (auto& [fleet_name, fleet] : fleets_) {
    const bool refers = std::ranges::any_of(
        fleet.pools, [&](const auto& pool) { return pool.second.pool->secret_name() == name; });
    if (!refers) continue;
    const Watches more = BuildView(fleet);
    watches.insert(watches.end(), more.begin(), more.end());
  }
  return watches;
}

ResourceCache::Fleet& ResourceCache::FleetOf(std::string_view name) {
  const auto fleet = fleets_.find(name);
  if (fleet != fleets_.end()) return fleet->second;
  Fleet& created = fleets_[std::string(name)];
  created.view = no_pools_;
  return created;
}

FleetViewPtr ResourceCache::EmptyView(PoolPlacesPtr places) {
  auto view = std::make_shared<FleetView>();
  view->places = std::move(places);
  return view;
}

void ResourceCache::ForgetIfUnused(std::string_view fleet) {
  const auto of = fleets_.find(fleet);
  if (of != fleets_.end() && of->second.pools.empty() && of->second.watches.empty()) {
    fleets_.erase(of);
  }
}

}  // namespace weir
