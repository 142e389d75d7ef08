// Daemon: the process moved to the background (-d), in two steps: whoever started it waits until it
// serves, sees its errors on the terminal, and gets its success or failure as an exit code.
//
// Start comes before the first thread, because fork takes only the calling thread along.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "proxy/base/unique_fd.h"

namespace weir {

class Daemon {
 public:
  // Forks twice with a session of its own between, so that no terminal can ever be the daemon's.
  // Returns in the daemon; the process that called waits for Ready or for the daemon's end and
  // exits with 0 or 1. An error: nothing was forked.
  static absl::StatusOr<Daemon> Start();

  // The daemon serves: lets the starter go and turns stdin, stdout and stderr to /dev/null.
  void Ready();

 private:
  explicit Daemon(UniqueFd starter) : starter_(std::move(starter)) {}

  UniqueFd starter_;  // the starter reads the other end
};

}  // namespace weir
