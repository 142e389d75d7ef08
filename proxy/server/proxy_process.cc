#include "proxy/server/proxy_process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_loader.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/server/daemon.h"
#include "proxy/server/pid_file.h"

namespace weir {
namespace {

// How long before the end of drain_timeout reading stops.
constexpr absl::Duration kLastReplies = absl::Seconds(1);

void Print(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

// The mistakes of a configuration begin with their file; other errors get the program's name.
int Fail(const absl::Status& status) {
  const std::string_view message = FromAbsl(status.message());
  const bool is_mistake = absl::IsInvalidArgument(status);
  Print(stderr, StrCat(is_mistake ? "" : "weir-proxy: ", message, "\n"));
  return 1;
}

std::vector<std::string> Lines(const absl::Status& status) {
  return absl::StrSplit(status.message(), '\n', absl::SkipEmpty());
}

// Without a file there are no pools of its own. A control plane may have them all.
absl::StatusOr<Config> LoadOwnConfig(const Options& options) {
  if (options.conf_file.empty()) return Config();
  return LoadConfigFile(options.conf_file,
                        options.controls.empty() ? NoPools::kRefused : NoPools::kAllowed);
}

int TestConfiguration(const Options& options) {
  if (options.conf_file.empty()) {
    Print(stderr, "weir-proxy: no configuration file: pools come from --control alone\n");
    return 0;
  }
  const absl::StatusOr<Config> config = LoadOwnConfig(options);
  absl::Status status = config.status();
  if (config.ok()) status = BuildSnapshot(*config, nullptr).status();
  if (!status.ok()) {
    Fail(status);
  } else {
    for (const std::string& warning : config->warnings) Print(stderr, StrCat(warning, "\n"));
  }
  Print(stderr, StrCat("weir-proxy: configuration file '", options.conf_file, "' syntax is ",
                       status.ok() ? "ok" : "invalid", "\n"));
  return status.ok() ? 0 : 1;
}

void LogWarnings(const Config& file) {
  for (const std::string& warning : file.warnings) {
    LOG_EVENT(LogLevel::kWarn, "config_warning", {"warning", warning});
  }
}

// The names of the pools of `in` that are not, or not the same, in `other`; "-" when there are
// none.
std::string Others(const Snapshot& in, const Snapshot& other, bool known_there) {
  std::string names;
  for (const PoolSnapshotPtr& pool : in.pools) {
    const PoolSnapshot* found = other.FindPool(pool->config.name);
    if ((found != nullptr) != known_there || found == pool.get()) continue;
    StrAppend(&names, names.empty() ? "" : ",", pool->config.name);
  }
  return names.empty() ? "-" : names;
}

// Each client is a descriptor, and the usual soft limit of 1,024 is for programs that use select.
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    LOG_EVENT(LogLevel::kWarn, "file_limit_not_raised", {"error", std::strerror(errno)});
  }
}

void ReopenLog() {
  const absl::Status status = Log::Reopen();
  if (!status.ok()) {
    LOG_EVENT(LogLevel::kError, "log_not_reopened", {"error", FromAbsl(status.message())});
    return;
  }
  LOG_EVENT(LogLevel::kNotice, "log_reopened");
}

}  // namespace

int ProxyProcess::Main(const Options& options) {
  if (options.show_help) return Print(stdout, UsageText()), 0;
  if (options.show_version) return Print(stdout, VersionText()), 0;
  if (options.describe_stats) return Print(stdout, DescribeStatsText()), 0;
  if (options.test_conf) return TestConfiguration(options);

  std::optional<Daemon> daemon;
  if (options.daemonize) {
    absl::StatusOr<Daemon> started = Daemon::Start();
    if (!started.ok()) return Fail(started.status());
    daemon = *std::move(started);
  }
  SignalWatcher::BlockSignals();
  std::unique_ptr<PidFile> pid_file;
  if (!options.pid_file.empty()) {
    absl::StatusOr<std::unique_ptr<PidFile>> created = PidFile::Create(options.pid_file);
    if (!created.ok()) return Fail(created.status());
    pid_file = *std::move(created);
  }
  ProxyProcess process(options);
  if (const absl::Status started = process.Start(); !started.ok()) return Fail(started);
  if (daemon.has_value()) daemon->Ready();
  process.Serve();
  return 0;
}

ProxyProcess::ProxyProcess(const Options& options)
    : options_(options),
      loop_(CreateEventLoop()),
      signals_(*loop_, [this](int signal) { OnSignal(signal); }),
      delay_timer_(loop_->timers(), [this] { StopAccepting(); }),
      hurry_timer_(loop_->timers(), [this] { server_->EndSessions(); }),
      timeout_timer_(loop_->timers(), [this] { End("drain_timeout"); }),
      pools_([this](const SnapshotPtr& snapshot) { return server_->Apply(snapshot); },
             [this](ListenerSet::Pools pools) { return server_->CheckListen(pools); }) {}

absl::Status ProxyProcess::Start() {
  absl::StatusOr<Config> config = LoadOwnConfig(options_);
  if (!config.ok()) return config.status();
  if (absl::Status built = BuildSnapshot(*config, nullptr).status(); !built.ok()) return built;
  if (absl::Status opened = Log::Open(options_.output); !opened.ok()) {
    return Unavailable(FromAbsl(opened.message()));
  }
  Log::SetLevel(options_.verbose);
  RaiseFileLimit();
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(options_, *loop_, [this] {
    if (control_ != nullptr) control_->OnHealthChanged();
  });
  if (!server.ok()) return Unavailable(FromAbsl(server.status().message()));
  server_ = *std::move(server);
  if (absl::Status applied = pools_.SetFile(*std::move(config)); !applied.ok()) return applied;
  LogWarnings(pools_.file());
  if (!options_.controls.empty()) {
    absl::StatusOr<std::unique_ptr<ControlLink>> control =
        ControlLink::Start(options_, *loop_, *server_, pools_);
    if (!control.ok()) return control.status();
    control_ = *std::move(control);
  }
  LOG_EVENT(LogLevel::kNotice, "started", {"version", kVersion}, {"pid", getpid()},
            {"threads", options_.threads}, {"pools", pools_.snapshot()->pools.size()});
  return absl::OkStatus();
}

void ProxyProcess::Serve() {
  loop_->Run();
  control_.reset();
  // Workers that are done post here no more once they are joined.
  server_.reset();
  LOG_EVENT(LogLevel::kNotice, "ended");
}

void ProxyProcess::OnSignal(int signal) {
  switch (signal) {
    case SIGHUP:
      ReopenLog();
      return draining_ ? void() : Reload();
    case SIGUSR1:
      return ReopenLog();
    case SIGTTIN:
    case SIGTTOU: {
      const int level = signal == SIGTTIN ? Log::LevelUp() : Log::LevelDown();
      LogEvent(LogLevel::kEmerg, "log_level", {{"level", level}});
      return;
    }
    case SIGTERM:
    case SIGINT:
      return draining_ ? End("second_signal") : BeginDrain(signal);
    default:
      LOG_EVENT(LogLevel::kNotice, "signal_ignored", {"signal", signal});
  }
}

void ProxyProcess::Reload() {
  if (options_.conf_file.empty()) return;
  absl::StatusOr<Config> config = LoadOwnConfig(options_);
  const SnapshotPtr before = pools_.snapshot();
  const absl::Status status =
      config.ok() ? pools_.SetFile(*std::move(config)) : absl::Status(config.status());
  if (!status.ok()) {
    for (const std::string& line : Lines(status)) {
      LOG_EVENT(LogLevel::kError, "reload_error", {"error", line});
    }
    LOG_EVENT(LogLevel::kError, "reload_refused", {"file", options_.conf_file},
              {"generation", pools_.snapshot()->generation});
    return;
  }
  const Snapshot& after = *pools_.snapshot();
  LOG_EVENT(LogLevel::kNotice, "reloaded", {"file", options_.conf_file},
            {"generation", after.generation}, {"pools", after.pools.size()},
            {"added", Others(after, *before, /*known_there=*/false)},
            {"changed", Others(after, *before, /*known_there=*/true)},
            {"removed", Others(*before, after, /*known_there=*/false)});
  LogWarnings(pools_.file());
  if (control_ != nullptr) control_->OnFileChanged();
}

void ProxyProcess::BeginDrain(int signal) {
  draining_ = true;
  // From here on nothing changes any more.
  if (control_ != nullptr) control_->BeginDrain();
  LOG_EVENT(LogLevel::kNotice, "drain_begins", {"signal", strsignal(signal)});
  if (options_.drain_delay == absl::ZeroDuration()) return StopAccepting();
  delay_timer_.ArmAt(loop_->now() + absl::ToChronoNanoseconds(options_.drain_delay));
}

void ProxyProcess::StopAccepting() {
  const absl::Duration timeout = options_.drain_timeout;
  const Moment now = loop_->now();
  hurry_timer_.ArmAt(now +
                     absl::ToChronoNanoseconds(timeout - std::min(kLastReplies, timeout / 4)));
  timeout_timer_.ArmAt(now + absl::ToChronoNanoseconds(timeout));
  server_->StopAccepting();
  LOG_EVENT(LogLevel::kNotice, "accepting_stopped");
  server_->Drain([this] { loop_->Post([this] { End("drained"); }); });
}

void ProxyProcess::End(const char* reason) {
  LOG_EVENT(LogLevel::kNotice, "ending", {"reason", reason});
  // Without a drain the sockets are still open.
  server_->StopAccepting();
  loop_->Stop();
}

}  // namespace weir
