// SecretDirectory: the files of --secrets-dir, each a secret under its file's name.
//
// Brings them to the cache and keeps them current: inotify, on a thread of its own. One new line at
// the end of a file is not part of the secret. Names that begin with '.', what is no regular file,
// and files over 64 KiB are left out. Contents appear in no log and no error.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "controlplane/cache/resource_cache.h"
#include "controlplane/store/directory_watcher.h"

namespace weir {

class SecretDirectory {
 public:
  // Has read every file when it returns. `cache` outlives the object.
  static absl::StatusOr<std::unique_ptr<SecretDirectory>> Open(std::string directory,
                                                               ResourceCache& cache);
  SecretDirectory(const SecretDirectory&) = delete;
  SecretDirectory& operator=(const SecretDirectory&) = delete;

 private:
  SecretDirectory(std::string directory, ResourceCache& cache);

  absl::Status ReadAll();
  void Read(const std::string& name);
  void Forget(const std::string& name);

  const std::string directory_;
  ResourceCache& cache_;
  std::set<std::string> known_;                // Open's, then the watcher's
  std::unique_ptr<DirectoryWatcher> watcher_;  // last: ends first
};

}  // namespace weir
