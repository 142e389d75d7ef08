// The calls that the benchmark makes to the admin API. Each blocks until it is answered.
//
// Used by one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/weir/v1/admin.grpc.pb.h"
#include "tests/benchmark/fleet/access.h"

namespace weir::benchmark {

class PoolWriter {
 public:
  // `target`: host:port of the admin service.
  PoolWriter(const std::string& target, Access access);

  // Pools of the default fleet, each with `shards` shards of weight 1 at addresses that nobody
  // connects to.
  absl::Status Create(size_t pools, size_t shards);
  // All there are, by name.
  absl::StatusOr<std::vector<v1::Pool>> List();

  // Changes of one shard of `pool`. With `wait` they are answered when all proxies have.
  absl::StatusOr<v1::ChangeResponse> SetWeight(const v1::Pool& pool, size_t slot, uint32_t weight,
                                               bool wait);
  absl::StatusOr<v1::ChangeResponse> SetEndpoint(const v1::Pool& pool, size_t slot,
                                                 std::string_view endpoint, bool wait);

 private:
  absl::StatusOr<v1::ChangeResponse> Update(v1::UpdateShardRequest request, const v1::Pool& pool,
                                            size_t slot, bool wait);

  // `call` with a deadline, as a status that says `what` was called.
  template <typename Call>
  absl::Status Make(std::string_view what, Call call) const;

  const Access access_;
  const std::unique_ptr<v1::AdminService::Stub> stub_;
};

}  // namespace weir::benchmark
