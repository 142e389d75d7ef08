// The lock of a store's directory, DIRECTORY/lock: one process writes there, and no second one.
//
// flock, of this machine's kernel: it is let go when its owner is destroyed or its process ends,
// however it ends; a process that is stopped keeps it. The file has the holder's pid. Owned by
// EmbeddedStore; thread-safe.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proxy/base/unique_fd.h"

namespace weir {

class DirectoryLock {
 public:
  // FAILED_PRECONDITION, with the pid, when another process has it.
  static absl::StatusOr<DirectoryLock> Take(const std::string& directory);

  // UNAVAILABLE when the lock's file is another one than the one that is locked: whoever removed or
  // replaced it has let a second writer in.
  absl::Status Check() const;

 private:
  DirectoryLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace weir
