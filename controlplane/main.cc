// weir-control: the control plane. Flags → the process's life (server/control_process.h); wiring
// only.
#include <cstdio>
#include <span>
#include <string>

#include "controlplane/server/control_process.h"
#include "controlplane/server/options.h"

int main(int argc, char** argv) {
  absl::StatusOr<weir::ControlOptions> options =
      weir::ParseControlOptions(std::span<const char* const>(argv, static_cast<size_t>(argc)));
  if (!options.ok()) {
    const std::string message(options.status().message());
    std::fprintf(stderr, "weir-control: %s\n", message.c_str());
    return 1;
  }
  return weir::ControlProcess::Main(*options);
}
