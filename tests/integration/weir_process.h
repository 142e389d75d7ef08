// WeirProcess: a weir-proxy of its own for a test of the process's life, told by its log when
// something has happened.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"

namespace weir {

// What a command printed (stdout and stderr), and its exit code.
struct Outcome {
  int exit_code = -1;
  std::string output;
};
Outcome RunToEnd(const std::vector<std::string>& command);

std::string ReadFile(const std::string& path);

// The path of a program under test: the value of an environment variable, such as WEIR_PROXY.
std::string Program(const char* variable);
inline std::string WeirProgram() { return Program("WEIR_PROXY"); }

// A running proxy with configuration, log and sockets in a directory of its own. Every wait is for
// a line of its log, for at most 20 s, and answers whether it came. Killed when the object dies.
class WeirProcess {
 public:
  // Without a configuration the flags say where pools come from.
  explicit WeirProcess(const std::string& configuration,
                       const std::vector<std::string>& flags = {"--threads", "2"});

  Process& process() { return *process_; }
  const std::string& directory() const { return directory_.path(); }
  std::string log_path() const { return directory_.path() + "/log"; }
  uint16_t stats_port() const { return stats_port_; }
  // The log and what was printed.
  std::string Log() const;

  // The log has `text` so many times.
  bool Logs(std::string_view text, size_t times = 1) const;
  // Writes another configuration and has it loaded; false when it was refused.
  bool Reload(const std::string& configuration);
  // Sends SIGTERM and waits for the end: the exit code.
  int Terminate();

 private:
  size_t Count(std::string_view text) const;

  TempDirectory directory_;
  uint16_t stats_port_;
  std::unique_ptr<Process> process_;
};

}  // namespace weir
