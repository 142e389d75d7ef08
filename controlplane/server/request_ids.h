// RequestIds: for which pool each request id is that is remembered or whose request is being made.
// Pools remember their requests (model/request_log.h), each its own; this makes an id one for all
// of them.
//
// An id is held once for every record that remembers it and for every request that is being made,
// and free when it is held no more. A plain value; not thread-safe. Bounded by the records.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

class RequestIds {
 public:
  // Holds the id for the pool; false, and nothing is held, when it is held for another one.
  [[nodiscard]] bool Hold(const std::string& id, const std::string& pool);
  // Takes back one Hold.
  void Release(const std::string& id);

  // The same for all that a record remembers. Records that are older than this rule may share an
  // id: it is the first one's until none of them remembers it.
  void HoldAll(const v1::PoolRecord& record);
  void ReleaseAll(const v1::PoolRecord& record);

 private:
  struct Holding {
    std::string pool;
    size_t times = 0;
  };
  absl::flat_hash_map<std::string, Holding> by_id_;
};

}  // namespace weir
