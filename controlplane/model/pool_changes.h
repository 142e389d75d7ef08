// Changes of whole pools: created, declared anew, deleted.
//
// Like all functions that change a pool: `record` is the pool as stored, null when there is none;
// the Change says what to write. Pure, any thread. What the requests and their options mean is in
// admin.proto; violations name fields of the request.
#pragma once

#include "controlplane/model/change.h"

namespace weir {

// ALREADY_EXISTS when there is such a pool. Never held: the first membership is exempt.
ChangeResult CreatePool(const v1::PoolRecord* record, const v1::CreatePoolRequest& request,
                        const ChangeContext& context);

// The fields that the mask names, then as DeclarePool.
ChangeResult UpdatePool(const v1::PoolRecord* record, const v1::UpdatePoolRequest& request,
                        const ChangeContext& context);

// What people wrote into a file or into Git: creates the pool or changes its declaration; what the
// author changed since the last merge is applied to the shards in force (merge.h). No etag, no
// request id. A spec that is held already is held on, without anything to write; declaring what is
// in force drops a declaration that is held.
// Violations name fields of the spec ("policy.timeout"), or "name".
ChangeResult DeclarePool(const v1::PoolRecord* record, const std::string& name,
                         const v1::PoolSpec& spec, const ChangeContext& context);

// Exempt from the guard. The record of the Change was changed when it was deleted and remembers the
// request; so does the one of kMissing, which a pool that does not exist is with `allow_missing`.
// Whoever keeps them for a while can answer a retry by passing the one that remembers it, as any
// other function that changes a pool: a retry of what was asked of a pool that is gone since.
ChangeResult DeletePool(const v1::PoolRecord* record, const v1::DeletePoolRequest& request,
                        const ChangeContext& context);

}  // namespace weir
