// Runs one workload against a proxy (or the shards themselves), checks every reply and prints JSON.
//
//   load_generator --workload JSON --target ADDRESS[,ADDRESS...]
//       [--preload]       only SET all keys of the workload through each target
//       [--pid N]         sample this process's CPU and memory
//       [--warmup S] [--seconds S]      default 1 and 5
//
// ADDRESS is "127.0.0.1:port" or "/path". JSON is an entry of workloads.json (workload.h). Exits 0
// when every reply was right; 1 with the reason on stderr otherwise; 2 for wrong usage.
#include <sys/prctl.h>
#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/benchmark/load_run.h"
#include "tests/benchmark/workload.h"

namespace weir::benchmark {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string workload;
  std::vector<std::string> targets;
  bool preload = false;
  pid_t pid = 0;
  double warmup_seconds = 1;
  double seconds = 5;
};

std::vector<std::string> SplitAtCommas(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number >= 0;
}

std::optional<Options> ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& flag = arguments[i];
    if (flag == "--preload") {
      options.preload = true;
      continue;
    }
    if (++i == arguments.size()) return std::nullopt;
    const std::string& value = arguments[i];
    bool good = true;
    if (flag == "--workload") {
      options.workload = value;
    } else if (flag == "--target") {
      options.targets = SplitAtCommas(value);
    } else if (flag == "--pid") {
      good = ReadNumber(value, &options.pid);
    } else if (flag == "--warmup") {
      good = ReadNumber(value, &options.warmup_seconds);
    } else if (flag == "--seconds") {
      good = ReadNumber(value, &options.seconds);
    } else {
      good = false;
    }
    if (!good) return std::nullopt;
  }
  if (options.workload.empty() || options.targets.empty()) return std::nullopt;
  return options;
}

Json ToJson(const ProcessSample& before, const ProcessSample& after) {
  double cpu_us = static_cast<double>(after.cpu_ns - before.cpu_ns) / 1000;
  double user = static_cast<double>(after.user_ticks - before.user_ticks);
  double system = static_cast<double>(after.system_ticks - before.system_ticks);
  double user_share = user + system > 0 ? user / (user + system) : 0;
  return {{"us", cpu_us}, {"user_us", cpu_us * user_share}, {"peak_rss_kib", after.peak_rss_kib}};
}

Json ToJson(const GroupResult& group, double seconds) {
  const Histogram& latency = group.latency_ns;
  auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"name", group.name},
          {"requests", latency.count()},
          {"requests_per_second", static_cast<double>(latency.count()) / seconds},
          {"latency_us",
           {{"mean", latency.mean() / 1000},
            {"p50", us(latency.Percentile(50))},
            {"p99", us(latency.Percentile(99))},
            {"p99.9", us(latency.Percentile(99.9))},
            {"max", us(latency.max())}}}};
}

Json ToJson(const LoadResult& result) {
  Json groups = Json::array();
  for (const GroupResult& group : result.groups) groups.push_back(ToJson(group, result.seconds));
  return {{"seconds", result.seconds},
          {"process", ToJson(result.before, result.after)},
          {"groups", groups}};
}

Json ToJson(const IdleResult& result) {
  return {{"connections", result.connections},
          {"rss_kib",
           {{"before", result.before.rss_kib},
            {"untouched", result.untouched.rss_kib},
            {"touched", result.touched.rss_kib}}},
          {"process", ToJson(result.before, result.touched)}};
}

int Fail(const absl::Status& status) {
  std::cerr << "load_generator: " << status << "\n";
  return 1;
}

int Run(const Options& options) {
  absl::StatusOr<Workload> workload = ParseWorkload(options.workload);
  if (!workload.ok()) return Fail(workload.status());
  LoadRun run(*workload, options.targets, options.pid);
  if (options.preload) {
    absl::Status status = run.Preload();
    return status.ok() ? 0 : Fail(status);
  }
  if (workload->groups.front().idle) {
    absl::StatusOr<IdleResult> result = run.MeasureIdle();
    if (!result.ok()) return Fail(result.status());
    std::cout << ToJson(*result).dump() << "\n";
    return 0;
  }
  absl::StatusOr<LoadResult> result =
      run.Measure(static_cast<uint64_t>(options.warmup_seconds * 1e9),
                  static_cast<uint64_t>(options.seconds * 1e9));
  if (!result.ok()) return Fail(result.status());
  std::cout << ToJson(*result).dump() << "\n";
  return 0;
}

int Main(int argc, char** argv) {
  std::optional<Options> options = ParseOptions({argv + 1, argv + argc});
  if (!options.has_value()) {
    std::cerr << "usage: load_generator --workload JSON --target ADDRESS[,ADDRESS...] [--preload] "
                 "[--pid N] [--warmup S] [--seconds S]\n";
    return 2;
  }
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_TIMERSLACK, 1);  // the default of 50 us is the whole gap at 20,000 requests/s
  return Run(*options);
}

}  // namespace
}  // namespace weir::benchmark

int main(int argc, char** argv) { return weir::benchmark::Main(argc, argv); }
