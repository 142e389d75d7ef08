// Pools, shards, proxies, versions and keys as people read them. Pure; any thread.
#pragma once

#include <string>

#include "proto/weir/v1/admin.pb.h"

namespace weir {

// Tables, a row for each.
std::string PoolsTable(const v1::ListPoolsResponse& pools);
// With what the pool waits for, and which of `proxies` has ejected which shard.
std::string ShardsTable(const v1::Pool& pool, const v1::ListProxiesResponse& proxies);
std::string ProxiesTable(const v1::ListProxiesResponse& proxies);
std::string VersionsTable(const v1::ListVersionsResponse& versions);

// Everything about a pool: what is declared, what is in force, how they differ, what is held, and
// which proxies serve it.
std::string DescribePool(const v1::Pool& pool, const v1::ListProxiesResponse& proxies);

// Where a key goes and why; where it would go, when that was asked.
std::string ExplainText(const v1::ExplainKeyRequest& request, const v1::ExplainKeyResponse& answer);

// "ok", or what is remarkable, parted by commas: "drifted", "change held", "file refused", and
// where the status tells of proxies "no proxy", "1 of 3 proxies refuse it" or "1 of 3 proxies
// behind".
std::string StatusText(const v1::Pool& pool);

// "3 shards on the ring".
std::string ShardsOnRing(const v1::Pool& pool);

}  // namespace weir
