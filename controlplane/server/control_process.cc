#include "controlplane/server/control_process.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "absl/time/clock.h"
#include "controlplane/store/address_file.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/base/version.h"

namespace weir {
namespace {

constexpr size_t kMaxWatches = 10'000;
// Longest wait at the start for the names of shards to be resolved.
constexpr absl::Duration kLongestLookUp = absl::Seconds(5);
// Longest wait of a change for the addresses of its names.
constexpr Duration kChangeLookUp = std::chrono::seconds(2);
// Between two looks at who may call, and at how proxies stand.
constexpr Duration kLongestTick = std::chrono::seconds(1);
// Between two looks at whether addresses have changed, which a process that is killed forgets.
constexpr Duration kSaveInterval = std::chrono::seconds(1);

// The signals that Main waits for; blocked in every thread.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Returns the signal that ends the process.
int WaitForEnd(const sigset_t& signals) {
  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGTERM || signal == SIGINT) return signal;
    const absl::Status reopened = Log::Reopen();
    if (!reopened.ok()) {
      LOG_EVENT(LogLevel::kError, "log_not_reopened", {"error", FromAbsl(reopened.message())});
    }
  }
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "weir-control: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int ControlProcess::Main(const ControlOptions& options) {
  if (options.show_help || options.show_version) {
    const std::string text = options.show_help ? ControlUsageText() : ControlVersionText();
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  Log::SetLevel(options.verbose);
  const absl::Status log = Log::Open(options.output);
  if (!log.ok()) return Fail(log);
  const sigset_t signals = BlockSignals();  // before the first thread
  const absl::StatusOr<std::unique_ptr<ControlProcess>> process = Start(options);
  if (!process.ok()) return Fail(process.status());
  const int signal = WaitForEnd(signals);
  LOG_EVENT(LogLevel::kNotice, "ending", {"signal", signal});
  (*process)->Shutdown();
  LOG_EVENT(LogLevel::kNotice, "ended");
  return 0;
}

ControlProcess::ControlProcess(const ControlOptions& options) : options_(options) {}

absl::StatusOr<std::unique_ptr<ControlProcess>> ControlProcess::Start(
    const ControlOptions& options) {
  std::unique_ptr<ControlProcess> process(new ControlProcess(options));
  absl::Status status = process->OpenStore();
  if (status.ok()) status = process->Serve();
  if (!status.ok()) return status;
  return process;
}

absl::Status ControlProcess::OpenStore() {
  if (options_.tokens.empty()) {
    access_ = std::make_unique<Access>();
    LOG_EVENT(LogLevel::kWarn, "access_open",
              {"reason", "no --tokens: everyone may do everything"});
  } else {
    auto access = Access::FromFile(options_.tokens);
    if (!access.ok()) return access.status();
    access_ = *std::move(access);
  }
  if (!options_.secrets_dir.empty()) {
    auto secrets = SecretDirectory::Open(options_.secrets_dir, cache_);
    if (!secrets.ok()) return secrets.status();
    secrets_ = *std::move(secrets);
  }
  auto store = EmbeddedStore::Open({.directory = options_.data_dir});
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  control_ = std::make_unique<ControlPlane>(ControlPlane::Parts{.store = *store_,
                                                                .cache = cache_,
                                                                .proxies = proxies_,
                                                                .metrics = metrics_,
                                                                .now = absl::Now,
                                                                .moment = Clock::now,
                                                                .wake =
                                                                    [this] {
                                                                      ticker_.Wake();
                                                                      refresher_.Wake();
                                                                    },
                                                                .look_up = kChangeLookUp});
  resolver_ = std::make_unique<EndpointResolver>(
      [this](const std::string& endpoint, const std::vector<std::string>& addresses) {
        control_->SetAddresses(endpoint, addresses);
        refresher_.Wake();
      });
  auto resolved = ReadAddressFile(options_.data_dir);
  if (!resolved.ok()) {  // they will be found again
    LOG_EVENT(LogLevel::kError, "addresses_not_read",
              {"error", FromAbsl(resolved.status().message())});
  }
  absl::Status status = control_->Load(resolved.ok() ? *std::move(resolved) : KnownAddresses());
  if (status.ok() && options_.restored) status = control_->BeginNewHistories();
  if (!status.ok()) return status;
  LookUpNames();
  return control_->Start();
}

void ControlProcess::LookUpNames() {
  const auto names = control_->NamesToResolve();
  resolver_->SetEndpoints(names);
  if (!resolver_->WaitForFirstLookups(kLongestLookUp)) {
    LOG_EVENT(LogLevel::kWarn, "names_not_resolved", {"names", names.size()},
              {"reason", "no answer in time: proxies are told the last addresses known"});
  }
}

Moment ControlProcess::Tick(Moment now) {
  const auto names = control_->NamesToResolve();
  control_->ResolvesOnly(names);
  resolver_->SetEndpoints(names);
  const uint64_t table = access_->TableNumber(absl::Now());
  if (std::exchange(access_table_, table) != table) {
    discovery_->RecheckAll();
    admin_->RecheckWatches();
  }
  return std::min(control_->RunDue(now), now + kLongestTick);
}

void ControlProcess::SaveAddresses() {
  const uint64_t changes = control_->ResolvedChanges();
  if (changes == saved_addresses_) return;
  const absl::Status written = store_->WriteAddresses(control_->Resolved());
  if (written.ok()) {
    saved_addresses_ = changes;
  } else {
    LOG_EVENT_LIMITED(LogLevel::kError, "addresses_not_written",
                      {"error", FromAbsl(written.message())});
  }
}

absl::Status ControlProcess::Serve() {
  discovery_ = std::make_unique<DiscoveryService>(
      DiscoveryService::Parts{
          .cache = cache_, .proxies = proxies_, .access = *access_, .metrics = metrics_},
      DiscoveryService::Options{
          .max_age = options_.max_stream_age,
          .secure = options_.uses_tls(),
          .streams = {.in_all = options_.max_streams, .per_peer = options_.max_peer_streams}});
  admin_ = std::make_unique<AdminService>(
      *control_, *access_, metrics_,
      PeerLimit::Limits{.in_all = kMaxWatches, .per_peer = options_.max_peer_watches});
  ticker_.Start([this](Moment now) { return Tick(now); });
  refresher_.Start([this](Moment now) { return control_->RefreshPools(now); });
  watch_ticker_.Start([this](Moment now) {
    control_->ReportWaits();
    control_->CompareWatches();
    return now + kLongestTick;
  });
  saver_.Start([this](Moment now) {
    SaveAddresses();
    return now + kSaveInterval;
  });
  auto http = HttpServer::Start(options_.http, metrics_, [this] { return ready_.load(); });
  if (!http.ok()) return http.status();
  http_ = *std::move(http);
  auto servers = GrpcServers::Start(options_, *discovery_, *admin_);
  if (!servers.ok()) return servers.status();
  servers_ = *std::move(servers);
  servers_->SetServing(true);
  ready_ = true;
  LOG_EVENT(LogLevel::kNotice, "started", {"version", kVersion}, {"pid", getpid()},
            {"discovery", FormatEndpoint(options_.listen_discovery)},
            {"admin", FormatEndpoint(options_.listen_admin)}, {"data_dir", options_.data_dir},
            {"tls", options_.uses_tls()});
  return absl::OkStatus();
}

void ControlProcess::Shutdown() {
  ready_ = false;
  if (servers_ != nullptr) {
    servers_->SetServing(false);
    discovery_->EndAll();
    admin_->EndWatches();
    control_->EndWaits();
    servers_->Shutdown(absl::Now() + options_.shutdown_timeout);
  }
  ticker_.Stop();
  resolver_.reset();
  refresher_.Stop();
  watch_ticker_.Stop();
  saver_.Stop();
  if (store_ != nullptr && control_ != nullptr) SaveAddresses();
  store_.reset();
}

ControlProcess::~ControlProcess() { Shutdown(); }

}  // namespace weir
