// PidFile: the process's id in a file (-p), locked while the process lives.
//
// The lock, not the file, says that a proxy runs: a file left by a crash is taken over, one that a
// living process holds is refused. Created on the main thread, in the process whose id it holds.
// How it ends: the destructor removes the file.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proxy/base/unique_fd.h"

namespace weir {

class PidFile {
 public:
  // An error names the file and, when it is held, the process that holds it.
  static absl::StatusOr<std::unique_ptr<PidFile>> Create(const std::string& path);
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  const std::string path_;
  UniqueFd fd_;
};

}  // namespace weir
