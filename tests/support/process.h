// Process: a program that a test runs beside itself.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace weir {

// A running child. The object owns it: the destructor kills it (SIGKILL) and waits. Should the test
// itself die, the kernel kills the child, provided that the thread which started it has ended too.
// Not thread-safe.
class Process {
 public:
  // Starts `command` (a path, then its arguments) with stdout and stderr appended to `output_path`.
  // A command that cannot be executed shows as a process that ends with status 127.
  Process(const std::vector<std::string>& command, const std::string& output_path);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Whether it has not ended yet.
  bool Running();

  // Waits until it has ended: its exit code, or -1 when a signal ended it.
  int Wait();

  // Sends a signal, if it still runs.
  void Signal(int signal);

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
  bool ended_ = false;  // waited for: the pid may be someone else's by now
  int status_ = 0;      // as from waitpid
};

}  // namespace weir
