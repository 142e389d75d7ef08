// A workload as data: one entry of workloads.json.
//
//   {"title": "...", "shards": ["saturated", "redis"], "groups": [{
//      "name": "get",           required, names the group in the results
//      "connections": 50,       required
//      "pipeline": 1,           requests sent together; the next ones follow when all are answered
//      "mix": {"get": 4, "set": 1, "mget": 0},   required, relative weights
//      "mget_keys": 10,         keys of one MGET
//      "value_size": 100,       required, bytes
//      "keys": 10000,           size of the key space
//      "rate": 20000,           requests/s of the whole group: open loop (`pipeline` is ignored)
//      "idle": true             connect, stay idle, then one request per connection
//   }]}
//
// The other keys are for `run` and ignored here:
//
//   "title", "shards": [...]   required; kinds of shards, "saturated" and "redis"
//   "like": "W1"               takes from that entry what this one does not say
//   "shard_count": 4
//   "proxies": [...]           which of the others are measured; builds of weir-proxy always are
//   "variants": ["2workers"]   each build of weir-proxy is measured with these, too (variants.py)
//
// Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace weir::benchmark {

struct Mix {
  uint32_t get = 0;
  uint32_t set = 0;
  uint32_t mget = 0;

  uint32_t total() const { return get + set + mget; }
};

struct GroupSpec {
  std::string name;
  uint32_t connections = 0;
  uint32_t pipeline = 1;
  Mix mix;
  uint32_t mget_keys = 10;
  uint32_t value_size = 0;
  uint32_t keys = 10'000;
  uint32_t rate = 0;  // requests/s; 0 = closed loop
  bool idle = false;
};

struct Workload {
  std::vector<GroupSpec> groups;  // all idle, or none
};

// InvalidArgument names the group and the key that is missing, unknown or out of range.
absl::StatusOr<Workload> ParseWorkload(std::string_view json);

}  // namespace weir::benchmark
