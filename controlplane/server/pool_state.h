// A pool as weir-control has it in memory. Immutable; shared by whoever reads it.
#pragma once

#include <memory>
#include <string>

#include "controlplane/model/resources.h"
#include "controlplane/store/pool_store.h"

namespace weir {

struct PoolState {
  StoredPool stored;
  PoolResources resources;  // of the record and what is observed now

  const v1::PoolRecord& record() const { return stored.record; }
  std::string fleet() const { return FleetOf(stored.record.spec()); }
  // Whether proxies are told of it: at least one shard has, or had, an address.
  bool IsOnRing() const { return !resources.pool.pool().slots().empty(); }
};

// Null: there is no such pool.
using PoolPtr = std::shared_ptr<const PoolState>;

}  // namespace weir
