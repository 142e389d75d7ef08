// Live changes of a pool's shards in force; the declaration stays as it is, and the difference
// shows as drift. For what all these functions share see pool_changes.h.
#pragma once

#include "controlplane/model/change.h"

namespace weir {

// The new shard is on the ring at once, or as soon as its name has an address. ALREADY_EXISTS when
// the pool has a slot of that name, also one that is draining.
ChangeResult AddShard(const v1::PoolRecord* record, const v1::AddShardRequest& request,
                      const ChangeContext& context);

// NOT_FOUND when there is no such slot. What is in flight ends at the proxies, which drain a shard
// that is gone.
ChangeResult RemoveShard(const v1::PoolRecord* record, const v1::RemoveShardRequest& request,
                         const ChangeContext& context);

// Weight, endpoint or both; INVALID_ARGUMENT when neither is given.
ChangeResult UpdateShard(const v1::PoolRecord* record, const v1::UpdateShardRequest& request,
                         const ChangeContext& context);

// From the ring, or with `undo` back onto it; kNothing when it is there already.
// FAILED_PRECONDITION for a slot that is neither active nor draining.
ChangeResult DrainShard(const v1::PoolRecord* record, const v1::DrainShardRequest& request,
                        const ChangeContext& context);

// Puts on the ring what waits for an address and has one; kNothing when there is no such slot. The
// guard was asked when they were added.
ChangeResult ActivateFound(const v1::PoolRecord& record, const ChangeContext& context);

}  // namespace weir
