// NoDescriptors: as long as it lives, the process can open no file and no socket.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include "proxy/base/check.h"
#include "proxy/base/unique_fd.h"

namespace weir {

// The sanitizers open pipes to check pointers, and report what they could not check.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kNeedsDescriptors = true;
#else
inline constexpr bool kNeedsDescriptors = false;
#endif

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
