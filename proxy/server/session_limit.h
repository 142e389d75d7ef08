// How many clients the limit of open files allows, so that the shards' connections and the probes
// still get their descriptors when more come. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/config/snapshot.h"

namespace weir {

// Sessions of all pools together. Of `descriptors`, those are kept back that `workers` need for
// themselves and for the pools: per shard and worker the shared connections of every variant
// and a lease, and a probe; but at most half of all.
uint64_t SessionLimit(uint64_t descriptors, size_t workers, const Snapshot& snapshot);

// The process's limit of open files.
uint64_t DescriptorLimit();

}  // namespace weir
