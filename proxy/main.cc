// weir-proxy: the data plane. Flags → the process's life (server/proxy_process.h); wiring only.
#include <cstdio>
#include <span>
#include <string>

#include "proxy/base/strings.h"
#include "proxy/server/options.h"
#include "proxy/server/proxy_process.h"

int main(int argc, char** argv) {
  absl::StatusOr<weir::Options> options =
      weir::ParseOptions(std::span<const char* const>(argv, static_cast<size_t>(argc)));
  if (!options.ok()) {
    const std::string message(options.status().message());
    std::fprintf(stderr, "weir-proxy: %s\n", message.c_str());
    return 1;
  }
  return weir::ProxyProcess::Main(*options);
}
