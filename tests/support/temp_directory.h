// A directory for sockets and files of one test, removed with all it holds when the object dies.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "proxy/base/check.h"

namespace weir {

// Below /tmp and not below TEST_TMPDIR, whose length leaves no room for a Unix socket's name.
class TempDirectory {
 public:
  TempDirectory() { CHECK(mkdtemp(path_.data()) != nullptr); }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/weir-test-XXXXXX";
};

}  // namespace weir
