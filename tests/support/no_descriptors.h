// NoDescriptors: as long as it lives, the process can open no file and no socket.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include "proxy/base/check.h"
#include "proxy/base/unique_fd.h"

namespace weir {

// Not under sanitizers (kSanitized), which open pipes to check pointers and report what they could
// not check.
class NoDescriptors {
 public:
  NoDescriptors() {
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const UniqueFd next(dup(STDERR_FILENO));
    Set({.rlim_cur = static_cast<rlim_t>(next.get()), .rlim_max = before_.rlim_max});
  }
  ~NoDescriptors() { Set(before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  static void Set(const rlimit& limit) { CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0); }

  rlimit before_ = {};
};

}  // namespace weir
