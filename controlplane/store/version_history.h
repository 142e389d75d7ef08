// The versions of pools, DIRECTORY/POOL/GENERATION.json: one file for each, never changed.
//
// Owned by EmbeddedStore, which calls it under its lock, List alone also without; blocks on the
// disk. Pools' names are valid ones (pool.proto), so no path leads elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/weir/v1/admin.pb.h"

namespace weir {

class VersionHistory {
 public:
  // No file is longer than `max_bytes`.
  VersionHistory(std::string directory, size_t max_bytes)
      : directory_(std::move(directory)), max_bytes_(max_bytes) {}

  // Writes the version's file durably. With an error it is not to be counted on, also when it is
  // there (Trim removes it); never DATA_LOSS. RESOURCE_EXHAUSTED when it could not be read again.
  absl::Status Add(const std::string& pool, const v1::Version& version);

  // Until Trim or Forget the pool's history is no sign that there is a pool: it is being created or
  // deleted, and a crash may leave either without the other. Lasts over a crash.
  absl::Status Disown(const std::string& pool);
  // Whether a pool of this name was there: it has versions, and they are not disowned.
  absl::StatusOr<bool> ShowsAPool(const std::string& pool) const;
  // The names that have a history.
  absl::StatusOr<std::vector<std::string>> Names() const;

  // Newest first, without those that are removed meanwhile. Of one whose file cannot be read as a
  // version there is the generation and Version.error; the others are as they are.
  absl::StatusOr<std::vector<v1::Version>> List(const std::string& pool) const;

  // Removes those above `generation`, which were written ahead of a change that never came, those
  // before the `keep` last ones, and what unfinished writes left.
  absl::Status Trim(const std::string& pool, uint64_t generation, size_t keep);

  // Removes the history of a pool; none is no error.
  absl::Status Forget(const std::string& pool);

 private:
  std::string DirectoryOf(const std::string& pool) const { return directory_ + "/" + pool; }
  // Those that there are, ascending.
  absl::StatusOr<std::vector<uint64_t>> Generations(const std::string& pool) const;
  // Nothing when it has no file.
  std::optional<v1::Version> Read(const std::string& pool, uint64_t generation) const;

  const std::string directory_;
  const size_t max_bytes_;
};

}  // namespace weir
