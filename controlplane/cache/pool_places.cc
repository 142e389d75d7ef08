#include "controlplane/cache/pool_places.h"

#include "proto/resource_order.h"

namespace weir {

void PoolPlaces::SetExisting(const v1::Resource& pool) {
  const std::lock_guard lock(mutex_);
  v1::RemovedResource& place = known_[pool.key().name()];
  place.set_uid(pool.uid());
  place.set_generation(pool.generation());
  place.clear_created();
  if (pool.has_created()) *place.mutable_created() = pool.created();
}

void PoolPlaces::SetDeleted(std::span<const v1::RemovedResource> deleted,
                            const std::optional<google::protobuf::Timestamp>& forgotten_before,
                            const std::function<bool(const std::string& pool)>& exists) {
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&exists](const auto& place) { return !exists(place.first); });
  for (const v1::RemovedResource& removal : deleted) {
    const auto [place, is_new] = known_.try_emplace(removal.key().name(), removal);
    if (!is_new && IsOlder(place->second, removal)) place->second = removal;
  }
  unknown_.reset();
  if (forgotten_before.has_value()) *unknown_.emplace().mutable_created() = *forgotten_before;
}

std::optional<v1::RemovedResource> PoolPlaces::RemovalOf(const ResourceId& id) const {
  const std::lock_guard lock(mutex_);
  const auto place = known_.find(id.name);
  std::optional<v1::RemovedResource> removal =
      place == known_.end() ? unknown_ : std::optional(place->second);
  if (removal.has_value()) *removal->mutable_key() = KeyOf(id);
  return removal;
}

}  // namespace weir
