// weirctl: the command line to the admin API of weir-control. Wiring only.
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "controlplane/ctl/weirctl.h"

namespace {

std::optional<std::string> ReadVariable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const bool err_is_terminal = isatty(STDERR_FILENO) != 0;
  weir::Console console{.out = std::cout,
                        .err = std::cerr,
                        .in = std::cin,
                        .can_ask = err_is_terminal && isatty(STDIN_FILENO) != 0,
                        .has_progress = err_is_terminal};
  const weir::ExitCode code = weir::RunWeirctl(
      std::span<const char* const>(argv, static_cast<size_t>(argc)), ReadVariable, console);
  return static_cast<int>(code);
}
