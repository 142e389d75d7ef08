// Simulates a fleet of proxies against one weir-control, measures and checks what they are sent,
// and prints JSON. tests/benchmark/control runs it.
//
// Exits 0 when everything was right; 1 with the reason on stderr otherwise, also for wrong usage.
#include <sys/resource.h>

#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"
#include "proxy/config/flag_parser.h"
#include "tests/benchmark/fleet/fleet_run.h"

namespace weir::benchmark {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  bool help = false;
  uint32_t create_pools = 0;
  uint32_t shards = 100;
  FleetRun::Options run;
};

constexpr FlagSpec kFlags[] = {
    {'h', "help", "", "", "Print this help and exit."},
    {0, "admin", "ADDR", "", "weir-control's admin address."},
    {0, "discovery", "ADDR", "", "Its discovery address."},
    {0, "pid", "N", "", "Its process."},
    {0, "ca", "FILE", "", "Authorities (PEM) that vouch for it; TLS. Plain text without."},
    {0, "admin-token", "TOKEN", "", "Credential of role write."},
    {0, "discovery-token", "TOKEN", "", "... of role discovery."},
    {0, "create-pools", "N", "0", "Only create so many pools."},
    {0, "shards", "N", "100", "Shards of each of them."},
    {0, "proxies", "N", "1000", "Simulated proxies: streams."},
    {0, "connections", "N", "20", "Connections that they share."},
    {0, "ramp", "N", "100", "Streams that are opened and not in sync yet, at most."},
    {0, "changes", "N", "50", "Measured changes of weights, and as many of endpoints."},
    {0, "settle", "MSEC", "3000", "Rest before a second look at the memory."},
};

absl::Status SetNumber(std::string_view argument, auto& number) {
  const std::optional<uint32_t> parsed = ParseInt<uint32_t>(argument);
  if (!parsed || *parsed == 0) return InvalidArgument("a number above 0");
  number = static_cast<std::remove_reference_t<decltype(number)>>(*parsed);
  return absl::OkStatus();
}

absl::Status ReadAuthorities(std::string_view path, Options& options) {
  constexpr size_t kMaxBytes = 1 << 20;
  absl::StatusOr<std::string> authorities = ReadWholeFile(std::string(path), kMaxBytes);
  if (!authorities.ok()) return authorities.status();
  options.run.admin_access.authorities = *authorities;
  options.run.fleet.access.authorities = *std::move(authorities);
  return absl::OkStatus();
}

absl::Status Apply(std::string_view flag, std::string_view argument, Options& options) {
  if (flag == "help") options.help = true;
  if (flag == "admin") options.run.admin = argument;
  if (flag == "discovery") options.run.fleet.target = argument;
  if (flag == "pid") return SetNumber(argument, options.run.pid);
  if (flag == "ca") return ReadAuthorities(argument, options);
  if (flag == "admin-token") options.run.admin_access.token = argument;
  if (flag == "discovery-token") options.run.fleet.access.token = argument;
  if (flag == "create-pools") return SetNumber(argument, options.create_pools);
  if (flag == "shards") return SetNumber(argument, options.shards);
  if (flag == "proxies") return SetNumber(argument, options.run.fleet.proxies);
  if (flag == "connections") return SetNumber(argument, options.run.fleet.connections);
  if (flag == "ramp") return SetNumber(argument, options.run.fleet.ramp);
  if (flag == "changes") return SetNumber(argument, options.run.changes);
  if (flag == "settle") {
    uint32_t milliseconds = 0;
    absl::Status status = SetNumber(argument, milliseconds);
    options.run.settle = absl::Milliseconds(milliseconds);
    return status;
  }
  return absl::OkStatus();
}

Json ToJson(const ChangeFigures& figures) {
  return {{"last_ack_ms", figures.last_ack_ms},
          {"answered_ms", figures.answered_ms},
          {"cpu_us", figures.cpu_us},
          {"bytes", figures.bytes}};
}

Json ToJson(const RunFigures& figures) {
  return {{"lone_change_cpu_us", figures.lone_change_cpu_us},
          {"sync",
           {{"seconds", figures.sync_seconds},
            {"cpu_us", figures.sync_cpu_us},
            {"bytes", figures.sync_bytes}}},
          {"rss_kib",
           {{"before", figures.rss_before_kib},
            {"synced", figures.rss_synced_kib},
            {"settled", figures.rss_settled_kib},
            {"changed", figures.rss_changed_kib},
            {"closed", figures.rss_closed_kib}}},
          {"settled_cpu_share", figures.settled_cpu_share},
          {"weights", ToJson(figures.weights)},
          {"endpoints", ToJson(figures.endpoints)},
          {"push_cpu_us", figures.push_cpu_us},
          {"ack_cpu_us", figures.ack_cpu_us}};
}

absl::Status Run(const Options& options) {
  if (options.create_pools > 0) {
    return PoolWriter(options.run.admin, options.run.admin_access)
        .Create(options.create_pools, options.shards);
  }
  const absl::StatusOr<RunFigures> figures = FleetRun(options.run).Run();
  if (figures.ok()) std::cout << ToJson(*figures).dump() << "\n";
  return figures.status();
}

int Main(std::span<const char* const> argv) {
  Options options;
  absl::Status status = ParseFlags(kFlags, argv, [&](size_t index, std::string_view argument) {
    return Apply(kFlags[index].long_name, argument, options);
  });
  if (options.help) {
    std::cout << FlagsUsage("fleet_simulator", kFlags);
    return 0;
  }
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (status.ok()) status = Run(options);
  if (status.ok()) return 0;
  std::cerr << "fleet_simulator: " << std::string(status.message()) << "\n";
  return 1;
}

}  // namespace
}  // namespace weir::benchmark

int main(int argc, char** argv) {
  return weir::benchmark::Main(std::span<const char* const>(argv, static_cast<size_t>(argc)));
}
