// Resources of the discovery stream → PoolConfig, through the reader that checks files (ADR 0007).
//
// A pool is made of a Pool, the Endpoints of its name and, if it refers to one, a Secret. What is
// wrong with one resource of a change concerns only that resource: the pool is made of the state of
// it that is held, and the others of the change.
//
// Pure; one thread at a time. Made for one change, dropped after it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proto/resource_id.h"
#include "proxy/config/pool_config.h"
#include "proxy/xds/subscription_state.h"

namespace weir {

using HeldResources = std::map<ResourceId, HeldResourcePtr>;

// What is to be served instead of what is. Pools that are in neither stay as they are.
struct DecodedPools {
  std::map<std::string, PoolConfig> changed;
  std::set<std::string> removed;
  // Not to be served yet: their Endpoints have not come.
  std::set<std::string> waiting;
};

class SnapshotDecoder {
 public:
  // `held` is borrowed.
  SnapshotDecoder(const HeldResources& held, const ResourceChange& change);

  // At first every pool that the change touches; later those of Refuse alone.
  DecodedPools Decode();

  // The pool cannot be served as Decode gave it: `field` of its Pool (a resource that the change
  // brought is blamed: the Pool, else its Endpoints, else its Secret), `detail` says why. The
  // next Decode does without that resource. False when the change brought nothing of the pool.
  bool Refuse(const std::string& pool, std::string_view field, std::string_view detail);

  // What was refused so far, each resource once.
  const std::vector<v1::ResourceError>& errors() const { return errors_; }

 private:
  // What of a pool's resources is wrong; `id` says with which.
  struct Mistake {
    ResourceId id;
    std::string field;
    std::string detail;
  };

  void Touch(const ResourceId& id);
  // As after the change; null: there is none.
  const v1::Resource* Find(const ResourceId& id) const;
  void DecodePool(const std::string& name, DecodedPools& decoded);
  std::optional<Mistake> Read(const std::string& name, const v1::Resource& pool,
                              const v1::Resource& endpoints, PoolConfig& config) const;
  // Without what the mistake is about; false when that did not come with the change.
  bool Drop(const Mistake& mistake);

  const HeldResources& held_;
  std::map<ResourceId, HeldResourcePtr> change_;  // null: removed
  std::set<std::string> touched_;                 // pools to decode next
  std::vector<v1::ResourceError> errors_;
};

}  // namespace weir
