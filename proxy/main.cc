// weir-proxy: the data plane. Flags → configuration → snapshot → server; wiring only.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_loader.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/server/options.h"
#include "proxy/server/server.h"

namespace weir {
namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "weir-proxy: %s\n", std::string(FromAbsl(status.message())).c_str());
  return 1;
}

int Run(const Options& options) {
  absl::StatusOr<Config> config = LoadConfigFile(options.conf_file);
  if (!config.ok()) return Fail(config.status());
  absl::StatusOr<SnapshotPtr> snapshot = BuildSnapshot(*config, nullptr);
  if (!snapshot.ok()) return Fail(snapshot.status());
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGTTIN, SIGTTOU})
    sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  absl::Status opened = Log::Open(options.output);
  if (!opened.ok()) return Fail(opened);
  Log::SetLevel(options.verbose);
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(options);
  if (!server.ok()) return Fail(server.status());
  absl::Status applied = (*server)->Apply(*std::move(snapshot));
  if (!applied.ok()) return Fail(applied);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  absl::StatusOr<weir::Options> options =
      weir::ParseOptions(std::span<const char* const>(argv, static_cast<size_t>(argc)));
  if (!options.ok()) return weir::Fail(options.status());
  if (options->show_help) {
    std::fputs(weir::UsageText().c_str(), stderr);
    return 0;
  }
  return weir::Run(*options);
}
