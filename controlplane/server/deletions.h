// Deletions: the pools that were deleted last, as far as they are remembered. They answer retries
// of what was asked of them, tell the proxies as of which state a pool is gone, and make a pool
// that is created again younger than the one before. A record of generation 0 is no pool's: it
// remembers the deletions of a name that had no pool, all of them in one record.
//
// A plain value; not thread-safe. Bounded by PoolStore::kMaxDeleted, pools and others apart.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/timestamp.pb.h"
#include "proto/weir/v1/discovery.pb.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

class Deletions {
 public:
  Deletions() = default;
  // `records`: newest first.
  explicit Deletions(std::vector<v1::PoolRecord> records) : records_(std::move(records)) {}

  // Returns what it forgets instead: the record of this uid, and the oldest of its kind when there
  // are too many.
  std::vector<v1::PoolRecord> Add(v1::PoolRecord last);

  // The record to add (and to store) in place of `missing`, which remembers one deletion of a name
  // that has no pool: with those that are remembered already.
  v1::PoolRecord JoinMissing(v1::PoolRecord missing) const;

  const std::vector<v1::PoolRecord>& records() const { return records_; }

  // The last record of the pool of this name that remembers the request; null when none does.
  const v1::PoolRecord* FindRequest(const std::string& pool, const std::string& request_id) const;

  // When the last pool of this name was deleted.
  std::optional<google::protobuf::Timestamp> LastOf(const std::string& pool) const;

  // For ResourceCache::SetDeleted.
  std::vector<v1::RemovedResource> Removals() const;
  std::optional<google::protobuf::Timestamp> ForgottenBefore() const;

 private:
  std::vector<v1::PoolRecord> records_;  // newest first
};

}  // namespace weir
