// weir.v1's pools → PoolConfig, checked by the reader that checks files.
//
// For everybody who gets a pool as a message: weir-control (an API call, its own files), weirctl,
// and the proxy (the discovery stream, its last good state). Pure functions, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proto/weir/v1/pool.pb.h"
#include "proxy/config/pool_config.h"

namespace weir {

// A mistake in a message: the path of the field below the message, such as "policy.timeout",
// "servers[2].endpoint", "guard.min_shards", and the sentence, such as "found '0', expected a
// weight from 1 to 2147483647". Never shows a password.
struct FieldError {
  std::string field;
  std::string what;

  friend bool operator==(const FieldError&, const FieldError&) = default;
};

// All of them as one INVALID_ARGUMENT, "field: what" line by line; OK when there is none.
absl::Status ToStatus(std::span<const FieldError> errors);

// What was read. With errors, `pool` is filled as far as possible and good for nothing.
struct CheckedPool {
  PoolConfig pool;
  std::vector<FieldError> errors;

  bool ok() const { return errors.empty(); }
};

// A pool as declared. Checks everything that can be known without asking anybody: its name (path
// "name"), fleet, policy, shards, guard. `redis_auth` of the result stays empty: the password is
// not known here. An unset weight is 1, as pool.proto says.
CheckedPool ReadPoolSpec(std::string_view name, const v1::PoolSpec& spec);

// A pool as proxies get it: the ring's slots (paths "slots[2].weight") have names and weights; the
// endpoints of the result's servers stay empty, because EndpointsResource has the addresses.
// `redis_auth` is the password that `policy.redis_auth_secret` names, as the caller resolved it;
// empty when the policy names none.
CheckedPool ReadPoolResource(std::string_view name, const v1::PoolResource& resource,
                             std::string_view redis_auth);

// A shard by itself, as AddShard and UpdateShard get it: the same checks. Paths "name", "endpoint",
// "weight".
std::vector<FieldError> CheckShard(const v1::ShardSpec& shard);

// The guard by itself, with paths below it ("min_shards").
std::vector<FieldError> CheckGuard(const v1::Guard& guard);

}  // namespace weir
