#include "tests/benchmark/fleet/fleet_run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "proxy/base/strings.h"
#include "tests/benchmark/process_sample.h"

namespace weir::benchmark {
namespace {

constexpr absl::Duration kLongestSync = absl::Seconds(120);
constexpr absl::Duration kLongestChange = absl::Seconds(30);
// Longer than weir-control's debounce, and than what it does once the last ACK is read.
constexpr absl::Duration kRest = absl::Milliseconds(200);
constexpr size_t kLoneChanges = 10;
constexpr size_t kHeldChanges = 5;

double Milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// What the process used while this lives, in microseconds of CPU.
class CpuClock {
 public:
  explicit CpuClock(pid_t pid) : pid_(pid), began_(SampleProcess(pid).cpu_ns) {}
  double Microseconds() const {
    return static_cast<double>(SampleProcess(pid_).cpu_ns - began_) / 1000;
  }

 private:
  const pid_t pid_;
  const uint64_t began_;
};

// That all proxies have taken the change.
absl::Status CheckAnswer(const v1::ChangeResponse& response, size_t proxies) {
  const auto acked =
      std::ranges::count(response.proxies(), v1::PROXY_ACKED, &v1::ProxyResult::outcome);
  const bool all = static_cast<size_t>(acked) == proxies &&
                   static_cast<size_t>(response.proxies_size()) == proxies;
  if (all) return absl::OkStatus();
  return Internal("the answer has ", acked, " of ", response.proxies_size(),
                  " proxies ACKED, expected ", proxies);
}

}  // namespace

FleetRun::FleetRun(const Options& options)
    : options_(options), writer_(options.admin, options.admin_access) {}

absl::StatusOr<RunFigures> FleetRun::Run() {
  using Step = absl::Status (FleetRun::*)();
  for (const Step step :
       {&FleetRun::MeasureLoneChanges, &FleetRun::MeasureSync, &FleetRun::MeasureSettled,
        &FleetRun::MeasureWeights, &FleetRun::MeasureEndpoints, &FleetRun::MeasureHeldAcks,
        &FleetRun::MeasureEnd}) {
    absl::Status status = (this->*step)();
    if (!status.ok()) return status;
  }
  return figures_;
}

absl::Status FleetRun::ReadPools() {
  absl::StatusOr<std::vector<v1::Pool>> pools = writer_.List();
  if (!pools.ok()) return pools.status();
  if (pools->empty()) return Internal("ListPools: no pools");
  pools_ = *std::move(pools);
  catalog_ = std::make_unique<Catalog>(pools_);
  versions_.assign(catalog_->resources(), 0);
  for (const v1::Pool& pool : pools_) {
    if (!SetVersions(*catalog_, pool, versions_)) return Internal(pool.name(), ": no versions");
  }
  return absl::OkStatus();
}

absl::Status FleetRun::MeasureLoneChanges() {
  absl::Status read = ReadPools();
  if (!read.ok()) return read;
  const CpuClock cpu(options_.pid);
  for (size_t i = 0; i < kLoneChanges; ++i) {
    const absl::StatusOr<v1::ChangeResponse> response = ChangeWeight(/*wait=*/true);
    if (!response.ok()) return response.status();
  }
  absl::SleepFor(kRest);
  figures_.lone_change_cpu_us = cpu.Microseconds() / kLoneChanges;
  return ReadPools();
}

absl::Status FleetRun::MeasureSync() {
  figures_.rss_before_kib = SampleProcess(options_.pid).rss_kib;
  fleet_ = std::make_unique<Fleet>(options_.fleet, *catalog_);
  const auto proxies = static_cast<double>(fleet_->size());
  const CpuClock cpu(options_.pid);
  const auto began = std::chrono::steady_clock::now();
  absl::Status opened = fleet_->Open(kLongestSync);
  if (!opened.ok()) return opened;
  figures_.sync_seconds = Milliseconds(std::chrono::steady_clock::now() - began) / 1000;
  figures_.rss_synced_kib = SampleProcess(options_.pid).rss_kib;
  figures_.sync_cpu_us = cpu.Microseconds() / proxies;
  figures_.sync_bytes = static_cast<double>(fleet_->progress().counts().bytes) / proxies;
  return fleet_->Check(versions_);
}

absl::Status FleetRun::MeasureSettled() {
  absl::SleepFor(options_.settle);
  figures_.rss_settled_kib = SampleProcess(options_.pid).rss_kib;
  const CpuClock cpu(options_.pid);
  absl::SleepFor(options_.settle);
  figures_.settled_cpu_share = cpu.Microseconds() / absl::ToDoubleMicroseconds(options_.settle);
  return absl::OkStatus();
}

absl::Status FleetRun::MeasureWeights() {
  return MeasureChanges(&FleetRun::ChangeWeight, figures_.weights);
}

absl::Status FleetRun::MeasureEndpoints() {
  return MeasureChanges(&FleetRun::ChangeEndpoint, figures_.endpoints);
}

absl::Status FleetRun::MeasureChanges(Change change, ChangeFigures& figures) {
  FleetProgress& progress = fleet_->progress();
  const FleetCounts first = progress.counts();
  const CpuClock cpu(options_.pid);
  for (size_t i = 0; i < options_.changes; ++i) {
    const FleetCounts before = progress.counts();
    const Moment began = std::chrono::steady_clock::now();
    const absl::StatusOr<v1::ChangeResponse> response = (this->*change)(/*wait=*/true);
    const Moment answered = std::chrono::steady_clock::now();
    if (!response.ok()) return response.status();
    absl::Status status = CheckAnswer(*response, fleet_->size());
    if (status.ok()) status = CheckSent(before, *response);
    if (!status.ok()) return status;
    figures.last_ack_ms.push_back(Milliseconds(progress.counts().last_ack - began));
    figures.answered_ms.push_back(Milliseconds(answered - began));
  }
  absl::SleepFor(kRest);
  const auto changes = static_cast<double>(options_.changes);
  figures.cpu_us = cpu.Microseconds() / changes;
  figures.bytes = static_cast<double>(progress.counts().bytes - first.bytes) / changes /
                  static_cast<double>(fleet_->size());
  return absl::OkStatus();
}

absl::Status FleetRun::MeasureHeldAcks() {
  FleetProgress& progress = fleet_->progress();
  double push_us = 0;
  double ack_us = 0;
  for (size_t i = 0; i < kHeldChanges; ++i) {
    const FleetCounts before = progress.counts();
    fleet_->HoldAcks(true);
    const CpuClock pushing(options_.pid);
    const absl::StatusOr<v1::ChangeResponse> response = ChangeWeight(/*wait=*/false);
    if (!response.ok()) return response.status();
    absl::Status status =
        progress.Await(&FleetCounts::responses, before.responses + fleet_->size(), kLongestChange);
    if (!status.ok()) return status;
    absl::SleepFor(kRest);
    push_us += pushing.Microseconds();
    const CpuClock acking(options_.pid);
    fleet_->HoldAcks(false);
    status = CheckSent(before, *response);
    if (!status.ok()) return status;
    absl::SleepFor(kRest);
    ack_us += acking.Microseconds();
  }
  const auto proxies = static_cast<double>(fleet_->size());
  figures_.push_cpu_us = (push_us / kHeldChanges - figures_.lone_change_cpu_us) / proxies;
  figures_.ack_cpu_us = ack_us / kHeldChanges / proxies;
  return absl::OkStatus();
}

absl::Status FleetRun::MeasureEnd() {
  figures_.rss_changed_kib = SampleProcess(options_.pid).rss_kib;
  absl::Status closed = fleet_->Close(kLongestChange);
  if (!closed.ok()) return closed;
  absl::SleepFor(options_.settle);
  figures_.rss_closed_kib = SampleProcess(options_.pid).rss_kib;
  return absl::OkStatus();
}

// --- changes ---

std::pair<v1::Pool*, size_t> FleetRun::NextSlot() {
  const size_t turn = made_++;
  v1::Pool& pool = pools_[turn % pools_.size()];
  const auto slots = static_cast<size_t>(pool.shard_map().slots_size());
  return {&pool, turn / pools_.size() % slots};
}

absl::StatusOr<v1::ChangeResponse> FleetRun::ChangeWeight(bool wait) {
  const auto [pool, slot] = NextSlot();
  const uint32_t weight = pool->shard_map().slots(static_cast<int>(slot)).weight();
  absl::StatusOr<v1::ChangeResponse> response = writer_.SetWeight(*pool, slot, weight + 1, wait);
  if (response.ok()) *pool = response->pool();
  return response;
}

absl::StatusOr<v1::ChangeResponse> FleetRun::ChangeEndpoint(bool wait) {
  const auto [pool, slot] = NextSlot();
  // The generation makes it another one than any before, also after an earlier run.
  const std::string endpoint =
      StrCat("127.2.0.", slot % 250, ":", 10'000 + pool->shard_map().generation() % 50'000);
  absl::StatusOr<v1::ChangeResponse> response = writer_.SetEndpoint(*pool, slot, endpoint, wait);
  if (response.ok()) *pool = response->pool();
  return response;
}

absl::Status FleetRun::CheckSent(const FleetCounts& before, const v1::ChangeResponse& response) {
  FleetProgress& progress = fleet_->progress();
  const uint64_t proxies = fleet_->size();
  absl::Status acked = progress.Await(&FleetCounts::acks, before.acks + proxies, kLongestChange);
  if (!acked.ok()) return acked;
  const FleetCounts after = progress.counts();
  if (after.responses - before.responses != proxies ||
      after.resources - before.resources != proxies) {
    return Internal("one change came to ", proxies, " proxies as ",
                    after.responses - before.responses, " responses with ",
                    after.resources - before.resources, " resources");
  }
  if (!SetVersions(*catalog_, response.pool(), versions_)) return Internal("no versions");
  return fleet_->Check(versions_);
}

}  // namespace weir::benchmark
