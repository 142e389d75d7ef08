#include "proxy/server/session_limit.h"

#include <sys/resource.h>

#include <algorithm>

#include "proxy/codec/shard_protocol.h"

namespace weir {
namespace {

// Standard streams, log, statistics port, resolver, and the loops that are no worker's.
constexpr uint64_t kForTheProcess = 16;
// A loop's own, and connections on their way to another worker.
constexpr uint64_t kForAWorker = 4;

}  // namespace

uint64_t SessionLimit(uint64_t descriptors, size_t workers, const Snapshot& snapshot) {
  uint64_t kept = kForTheProcess + kForAWorker * workers;
  for (const PoolSnapshotPtr& pool : snapshot.pools) {
    const uint64_t of_a_worker =
        kConnectionVariants.size() * uint64_t{pool->config.server_connections} + 1;
    kept += 1 + pool->shard_count() * (workers * of_a_worker + 1);
  }
  return descriptors - std::min(kept, descriptors / 2);
}

uint64_t DescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return UINT64_MAX;
  return limit.rlim_cur;
}

}  // namespace weir
