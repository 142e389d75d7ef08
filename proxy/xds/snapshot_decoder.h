// Resources of the discovery stream → PoolConfig, through the reader that checks files (ADR 0007).
//
// A pool is made of a Pool, the Endpoints of its name and, if it refers to one, a Secret. What is
// wrong with one resource of a change concerns only that resource: the pool is made of the state of
// it that is held, and the others of the change. When what is held is the cause (its secret was
// taken back), what the change brought of the pool is refused: what is not refused is in force.
// Endpoints or a Secret of no pool have nothing to be put in force; they are taken.
//
// A pool that is served may refuse its Pool for long, while its Endpoints and Secret go on: then it
// keeps what they do not have any more, addresses of a slot and the password.
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
// By name.
using ServedPools = std::map<std::string, PoolConfig>;

// What is to be served instead of what is. Pools that are in neither stay as they are.
struct DecodedPools {
  std::map<std::string, PoolConfig> changed;
  std::set<std::string> removed;
};

// Adds to the Endpoints of a pool the slots that it serves beyond them, with the addresses they are
// served at: then the two make the same pool after a restart. With such slots they are not what
// their version stands for, so it becomes unknown, and the server sends them again.
// REQUIRES: a body of Endpoints.
void AddServedSlots(const PoolConfig& served, v1::Resource& endpoints);

class SnapshotDecoder {
 public:
  // `held` and `served`, the pools that are in force as made of it, are borrowed.
  SnapshotDecoder(const HeldResources& held, const ServedPools& served,
                  const ResourceChange& change);

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
                              PoolConfig& config) const;
  // Of a pool that refers to a secret; null: it is not to be had.
  const std::string* FindPassword(const std::string& name, const std::string& secret) const;
  // Null: the pool is not served.
  const PoolConfig* FindServed(const std::string& name) const;
  // Without what the mistake is about; false when that did not come with the change.
  bool Drop(const Mistake& mistake);

  const HeldResources& held_;
  const ServedPools& served_;
  std::map<ResourceId, HeldResourcePtr> change_;  // null: removed
  std::set<std::string> touched_;                 // pools to decode next
  std::vector<v1::ResourceError> errors_;
};

}  // namespace weir
