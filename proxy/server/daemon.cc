#include "proxy/server/daemon.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "proxy/base/strings.h"

namespace weir {
namespace {

// Exits with 0 once the daemon said that it serves, with 1 when it ended before.
[[noreturn]] void WaitForDaemon(int from_daemon) {
  char said = 0;
  ssize_t got;
  do {
    got = read(from_daemon, &said, 1);
  } while (got < 0 && errno == EINTR);
  _exit(got == 1 ? 0 : 1);
}

}  // namespace

absl::StatusOr<Daemon> Daemon::Start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return Unavailable("cannot run in the background: pipe: ", std::strerror(errno));
  }
  UniqueFd from_daemon(ends[0]);
  UniqueFd to_starter(ends[1]);
  const pid_t child = fork();
  if (child < 0) {
    return Unavailable("cannot run in the background: fork: ", std::strerror(errno));
  }
  if (child > 0) {
    to_starter.Close();
    WaitForDaemon(from_daemon.get());
  }
  from_daemon.Close();
  // The end of the session's leader must not hang up on the daemon.
  std::signal(SIGHUP, SIG_IGN);
  if (setsid() < 0) _exit(1);
  const pid_t grandchild = fork();
  if (grandchild != 0) _exit(grandchild < 0 ? 1 : 0);
  return Daemon(std::move(to_starter));
}

void Daemon::Ready() {
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.valid()) {
    dup2(null.get(), STDIN_FILENO);
    dup2(null.get(), STDOUT_FILENO);
    dup2(null.get(), STDERR_FILENO);
  }
  const char ready = 1;
  [[maybe_unused]] const ssize_t written = write(starter_.get(), &ready, 1);
  starter_.Close();
}

}  // namespace weir
