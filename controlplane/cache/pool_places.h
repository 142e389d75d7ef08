// PoolPlaces: what is known of each pool's place in its history, so that a proxy which is not to
// have a pool is told as of which state (proto/resource_order.h).
//
// A pool is known while it exists, in whatever fleet, and while its deletion is remembered. Of one
// that is not known nobody can say whether it was deleted long ago or is newer than all that this
// control plane has seen (it was stopped, or restored from a backup): proxies keep such a pool,
// unless it is older than the deletions that were forgotten.
//
// Thread-safe: written by the cache, read by streams. Lent as `PoolPlacesPtr` with every view.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "proto/resource_id.h"

namespace weir {

class PoolPlaces {
 public:
  PoolPlaces() = default;
  PoolPlaces(const PoolPlaces&) = delete;
  PoolPlaces& operator=(const PoolPlaces&) = delete;

  // The pool is in this state.
  void SetExisting(const v1::Resource& pool);

  // The deletions that are remembered, each as RemovalOf is to tell it. Other pools are forgotten,
  // except those for which `exists` is true. `forgotten_before`: pools created until then which
  // nobody knows are deleted ones; nothing: no deletion was forgotten.
  void SetDeleted(std::span<const v1::RemovedResource> deleted,
                  const std::optional<google::protobuf::Timestamp>& forgotten_before,
                  const std::function<bool(const std::string& pool)>& exists);

  // What to tell a proxy that is not to have the pool or its endpoints; nothing when it is to keep
  // them because the pool is not known.
  std::optional<v1::RemovedResource> RemovalOf(const ResourceId& id) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, v1::RemovedResource> known_;  // by pool
  std::optional<v1::RemovedResource> unknown_;
};

using PoolPlacesPtr = std::shared_ptr<const PoolPlaces>;

}  // namespace weir
