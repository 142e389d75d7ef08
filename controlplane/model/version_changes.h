// Approval of what the guard held, and the way back to an old version. For what these functions
// share with the others see pool_changes.h.
#pragma once

#include "controlplane/model/change.h"

namespace weir {

// Puts the held change in force. FAILED_PRECONDITION when no change with this plan is held, or the
// pool has changed since it was planned. The plan's id stands for the pool's state, so an etag is
// not needed; one that is given is checked.
ChangeResult ApprovePlan(const v1::PoolRecord* record, const v1::ApprovePlanRequest& request,
                         const ChangeContext& context);

// Writes the content of `version` as a new one: its spec and slots, under the guard as it is now.
// Shards that exist now, declared or in force, keep their endpoints; only one that is gone takes
// its old endpoint. `version` is that of the request's generation, null when it is not kept:
// NOT_FOUND.
ChangeResult Rollback(const v1::PoolRecord* record, const v1::RollbackRequest& request,
                      const v1::Version* version, const ChangeContext& context);

// The same content as the beginning of a new history: another uid, created now. Proxies take it
// whatever state of the pool they hold, from the future of a restored backup for instance. A
// change that is held goes on being held.
Change BeginNewHistory(const v1::PoolRecord& record, const ChangeContext& context);

}  // namespace weir
