// The latest resources of every fleet, and who wants to know when they change.
//
// Thread-safe. Writers (model and store) replace resources, streams read them as immutable views:
// a writer never waits for a stream, and a stream that is slow finds the latest state whenever it
// looks; what lay in between is gone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/cache/cached_resource.h"

namespace weir {

class ResourceCache;

namespace cache_internal {
struct WatchState;
}  // namespace cache_internal

// One stream's interest in a fleet. Wakes it when something has changed since it last looked, at
// most once until it looks again. Destroying it ends the interest: `wake` is not running when the
// destructor returns, and never runs again. The cache outlives it.
class ResourceWatch {
 public:
  ~ResourceWatch();
  ResourceWatch(const ResourceWatch&) = delete;
  ResourceWatch& operator=(const ResourceWatch&) = delete;

  // The latest resources; the next change wakes again. Never null.
  FleetViewPtr Take();

 private:
  friend class ResourceCache;
  ResourceWatch(ResourceCache& cache, std::string fleet,
                std::shared_ptr<cache_internal::WatchState> state);

  ResourceCache& cache_;
  const std::string fleet_;
  const std::shared_ptr<cache_internal::WatchState> state_;
};

class ResourceCache {
 public:
  ResourceCache() = default;
  ResourceCache(const ResourceCache&) = delete;
  ResourceCache& operator=(const ResourceCache&) = delete;

  // What the proxies of `fleet` get of a pool, replaced in one step. A resource that is what it was
  // stays as it is; when both do, nobody is woken. A pool that moves to another fleet is removed
  // from the old one by its own call. REQUIRES: keys of their types, both with the pool's name.
  void SetPool(std::string_view fleet, v1::Resource pool, v1::Resource endpoints);
  void RemovePool(std::string_view fleet, std::string_view pool);

  // The deletions that are remembered; see PoolPlaces. Known before RemovePool tells the proxies.
  void SetDeleted(std::span<const v1::RemovedResource> deleted,
                  const std::optional<google::protobuf::Timestamp>& forgotten_before);

  // Secrets belong to no fleet: a fleet has those that its pools refer to.
  void SetSecret(v1::Resource secret);
  void RemoveSecret(std::string_view name);
  bool HasSecret(std::string_view name) const;

  // Never null; of a fleet that has no pools it is empty.
  FleetViewPtr View(std::string_view fleet) const;

  // `wake` runs on the thread that makes a change: it must not block, call the cache or end the
  // watch, only tell its stream to look. It may run before Watch returns. The first Take needs no
  // wake.
  [[nodiscard]] std::unique_ptr<ResourceWatch> Watch(std::string_view fleet,
                                                     std::function<void()> wake);

 private:
  friend class ResourceWatch;
  using Watches = std::vector<std::shared_ptr<cache_internal::WatchState>>;

  struct PoolEntry {
    ResourcePtr pool;
    ResourcePtr endpoints;
  };

  struct Fleet {
    std::map<std::string, PoolEntry, std::less<>> pools;
    FleetViewPtr view;  // never null
    Watches watches;
  };

  // These need `mutex_`. BuildView returns who is to be told, by Wake, without the lock.
  [[nodiscard]] Watches BuildView(Fleet& fleet) const;
  [[nodiscard]] Watches BuildViewsWithSecret(std::string_view name);
  Fleet& FleetOf(std::string_view name);
  void ForgetIfUnused(std::string_view fleet);

  static FleetViewPtr EmptyView(PoolPlacesPtr places);
  static void Wake(const Watches& watches);
  void EndWatch(const std::string& fleet, cache_internal::WatchState& state);

  const std::shared_ptr<PoolPlaces> places_ = std::make_shared<PoolPlaces>();
  const FleetViewPtr no_pools_ = EmptyView(places_);

  mutable std::mutex mutex_;
  std::map<std::string, Fleet, std::less<>> fleets_;
  std::map<std::string, ResourcePtr, std::less<>> secrets_;
};

}  // namespace weir
