// Config → Snapshot: rings built, commands merged, everything checked that needs both.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/config/snapshot.h"

namespace weir {

// `previous` lends what did not change, so that equal pools share one PoolSnapshot, and those that
// differ in other things than their ring share the ring; null for the first snapshot. An error has
// one line for each pool that cannot be served, with its place in the file if it has one, its name
// and the key.
absl::StatusOr<SnapshotPtr> BuildSnapshot(const Config& config, const Snapshot* previous);

// The ring of a pool in which only the shards with live[i] get keys. REQUIRES: live.size() ==
// shard_count().
std::shared_ptr<const Ring> BuildPoolRing(const PoolConfig& config, const std::vector<bool>& live);

}  // namespace weir
