#include "tests/integration/weir_process.h"

#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Program(const char* variable) {
  const char* const path = std::getenv(variable);
  CHECK(path != nullptr);
  return path;
}

Outcome RunToEnd(const std::vector<std::string>& command) {
  TempDirectory directory;
  const std::string output = directory.path() + "/output";
  Process process(command, output);
  Outcome outcome;
  outcome.exit_code = process.Wait();
  outcome.output = ReadFile(output);
  return outcome;
}

WeirProcess::WeirProcess(const std::string& configuration, const std::vector<std::string>& flags)
    : stats_port_(FreePort()) {
  const std::string file = directory() + "/weir.yml";
  std::vector<std::string> command = {
      WeirProgram(), "-o", log_path(), "-s", std::to_string(stats_port_), "-a", "127.0.0.1"};
  if (!configuration.empty()) {
    std::ofstream(file) << configuration;
    command.insert(command.end(), {"-c", file});
  }
  command.insert(command.end(), flags.begin(), flags.end());
  process_ = std::make_unique<Process>(command, directory() + "/output");
  CHECK(Logs(" started "));
}

std::string WeirProcess::Log() const {
  return StrCat(ReadFile(directory() + "/output"), ReadFile(log_path()));
}

size_t WeirProcess::Count(std::string_view text) const {
  const std::string log = Log();
  size_t count = 0;
  for (size_t at = log.find(text); at != log.npos; at = log.find(text, at + 1)) ++count;
  return count;
}

bool WeirProcess::Logs(std::string_view text, size_t times) const {
  return Eventually([&] { return Count(text) >= times; });
}

bool WeirProcess::Reload(const std::string& configuration) {
  std::ofstream(directory() + "/weir.yml") << configuration;
  const size_t done = Count(" reloaded ");
  const size_t refused = Count(" reload_refused ");
  process_->Signal(SIGHUP);
  Eventually([&] { return Count(" reloaded ") > done || Count(" reload_refused ") > refused; });
  return Count(" reloaded ") > done;
}

int WeirProcess::Terminate() {
  process_->Signal(SIGTERM);
  return process_->Wait();
}

}  // namespace weir
