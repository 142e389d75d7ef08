// ExplainKey: where a key goes and why. Pure; the ring is built as the proxies build it.
#pragma once

#include "absl/status/statusor.h"
#include "controlplane/server/pool_state.h"
#include "proto/weir/v1/admin.pb.h"

namespace weir {

// `request.pool` is the pool's. Without a place (`now` or `proposed` unset) where no slot is on the
// ring. FAILED_PRECONDITION for `distribution: random`, under which no key has a place;
// INVALID_ARGUMENT for proposed slots that make no ring.
absl::StatusOr<v1::ExplainKeyResponse> ExplainKey(const PoolState& pool,
                                                  const v1::ExplainKeyRequest& request);

}  // namespace weir
