// The last records of deleted pools, and of names that had none to delete, DIRECTORY/UID.json: one
// file for each. They hold what a restart must not forget of a deletion: that it was, and which
// requests it answered.
//
// Owned by EmbeddedStore, which calls it under its lock; blocks on the disk.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "controlplane/store/pool_file.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

class DeletedPools {
 public:
  // The `keep` pools that were deleted last are kept, and as many names that had none. No
  // file is longer than `max_bytes`.
  DeletedPools(std::string directory, size_t keep, size_t max_bytes = kMaxStoredBytes)
      : directory_(std::move(directory)), keep_(keep), max_bytes_(max_bytes) {}

  // Reads the files, once. `existing`: the uids of pools that exist; their deletion never came, and
  // is forgotten. DATA_LOSS when a file cannot be read as a record.
  absl::Status Read(const std::set<std::string>& existing);

  // Writes the file durably, in place of the one of this uid, then forgets the oldest of its
  // kind beyond `keep`. REQUIRES: `record.changed` is when it was deleted, and its uid the name of
  // a file. RESOURCE_EXHAUSTED when it could not be read again.
  absl::Status Add(const v1::PoolRecord& record);
  // Takes back the Add of a deletion that did not come.
  void Withdraw(const std::string& uid);

  // Newest first.
  const std::vector<v1::PoolRecord>& records() const { return records_; }

 private:
  absl::Status ReadFile(const std::string& name, const std::set<std::string>& existing);
  void Insert(v1::PoolRecord record);
  void ForgetOldest();

  const std::string directory_;
  const size_t keep_;
  const size_t max_bytes_;
  std::vector<v1::PoolRecord> records_;
};

}  // namespace weir
