#include "proxy/server/options.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/str_format.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/strings.h"
#include "proxy/server/usable_cores.h"
#include "proxy/stats/pool_stats.h"

namespace weir {
namespace {

constexpr int64_t kMaxInt = INT32_MAX;
constexpr int kMostVerbose = 11;

constexpr FlagSpec kFlags[] = {
    {'h', "help", "", "", "Print this help and exit."},
    {'V', "version", "", "", "Print the version and exit."},
    {'t', "test-conf", "", "", "Check the configuration, print every error, exit with 0 or 1."},
    {'d', "daemonize", "", "", "Run in the background."},
    {'D', "describe-stats", "", "", "Print what the statistics mean and exit."},
    {'v', "verbose", "N", "5", "Log level, from 0 (emergencies) to 11 (everything)."},
    {'o', "output", "FILE", "stderr", "Log file."},
    {'c', "conf-file", "FILE", "conf/nutcracker.yml", "Configuration file."},
    {'s', "stats-port", "PORT", "22222", "Port of the statistics."},
    {'a', "stats-addr", "ADDR", "0.0.0.0", "Address of the statistics."},
    {'i', "stats-interval", "MSEC", "30000", "No effect: statistics are always current."},
    {'p', "pid-file", "PIDFILE", "none", "File for the process id."},
    {'m', "mbuf-size", "BYTES", "16384", "No effect: buffers size themselves."},
    {0, "threads", "N", "usable cores", "Worker threads, from 1 to 256."},
    {0, "drain-timeout", "MSEC", "30000", "After a SIGTERM, longest wait for what is in flight."},
    {0, "drain-delay", "MSEC", "0", "After a SIGTERM, how long to go on accepting connections."},
    {0, "memory-limit", "BYTES", "none",
     "Most memory for requests and replies on their way; K, M or G may follow the number."},
};

// --- one function for each flag: takes the argument, or says what was expected ---

using Apply = absl::Status (*)(std::string_view argument, Options& options);

template <bool Options::* field>
absl::Status SetTrue(std::string_view, Options& options) {
  options.*field = true;
  return absl::OkStatus();
}

template <std::string Options::* field>
absl::Status SetText(std::string_view argument, Options& options) {
  options.*field = argument;
  return absl::OkStatus();
}

template <absl::Duration Options::* field>
absl::Status SetMilliseconds(std::string_view argument, Options& options) {
  const std::optional<int64_t> number = ParseInt<int64_t>(argument);
  if (!number || *number < 0 || *number > kMaxInt) {
    return InvalidArgument("milliseconds from 0 to ", kMaxInt);
  }
  options.*field = absl::Milliseconds(*number);
  return absl::OkStatus();
}

absl::Status SetVerbose(std::string_view argument, Options& options) {
  const std::optional<int64_t> number = ParseInt<int64_t>(argument);
  if (!number || *number < 0) return InvalidArgument("a number from 0 to ", kMostVerbose);
  // twemproxy takes larger numbers for the largest.
  options.verbose = static_cast<int>(std::min<int64_t>(*number, kMostVerbose));
  return absl::OkStatus();
}

absl::Status SetConfFile(std::string_view argument, Options& options) {
  if (argument.empty()) return InvalidArgument("a file name");
  options.conf_file = argument;
  return absl::OkStatus();
}

absl::Status SetStatsPort(std::string_view argument, Options& options) {
  absl::StatusOr<uint16_t> port = ParsePort(argument);
  if (!port.ok()) return port.status();
  options.stats_port = *port;
  return absl::OkStatus();
}

absl::Status SetStatsAddr(std::string_view argument, Options& options) {
  absl::StatusOr<std::string> host = ParseHost(argument);
  if (!host.ok()) return InvalidArgument("a host name or address");
  options.stats_addr = *std::move(host);
  return absl::OkStatus();
}

absl::Status SetMbufSize(std::string_view argument, Options& options) {
  const std::optional<uint64_t> number = ParseInt<uint64_t>(argument);
  if (!number || *number < 512 || *number > 16777216) {
    return InvalidArgument("bytes from 512 to 16777216");
  }
  options.mbuf_size = *number;
  return absl::OkStatus();
}

absl::Status SetThreads(std::string_view argument, Options& options) {
  const std::optional<uint32_t> number = ParseInt<uint32_t>(argument);
  if (!number || *number < 1 || *number > 256) return InvalidArgument("a number from 1 to 256");
  options.threads = *number;
  return absl::OkStatus();
}

absl::Status SetMemoryLimit(std::string_view argument, Options& options) {
  constexpr uint64_t kMax = uint64_t{1} << 50;
  constexpr std::string_view kSuffixes = "KMG";
  uint64_t unit = 1;
  std::string_view digits = argument;
  if (!digits.empty()) {
    const char last = digits.back() >= 'a' ? static_cast<char>(digits.back() - 32) : digits.back();
    const size_t suffix = kSuffixes.find(last);
    if (suffix != kSuffixes.npos) {
      unit = uint64_t{1} << (10 * (suffix + 1));
      digits.remove_suffix(1);
    }
  }
  const std::optional<uint64_t> number = ParseInt<uint64_t>(digits);
  if (!number || *number > kMax / unit) {
    return InvalidArgument("a number of bytes, such as 1073741824, 1024M or 1G; 0 for none");
  }
  options.memory_limit = *number * unit;
  return absl::OkStatus();
}

constexpr Apply kApply[] = {
    // in the order of kFlags
    SetTrue<&Options::show_help>,
    SetTrue<&Options::show_version>,
    SetTrue<&Options::test_conf>,
    SetTrue<&Options::daemonize>,
    SetTrue<&Options::describe_stats>,
    SetVerbose,
    SetText<&Options::output>,
    SetConfFile,
    SetStatsPort,
    SetStatsAddr,
    SetMilliseconds<&Options::stats_interval>,
    SetText<&Options::pid_file>,
    SetMbufSize,
    SetThreads,
    SetMilliseconds<&Options::drain_timeout>,
    SetMilliseconds<&Options::drain_delay>,
    SetMemoryLimit,
};
static_assert(std::size(kApply) == std::size(kFlags));

}  // namespace

std::span<const FlagSpec> Flags() { return kFlags; }

absl::StatusOr<Options> ParseOptions(std::span<const char* const> argv) {
  Options options;
  options.threads = UsableCores();
  absl::Status status =
      ParseFlags(kFlags, argv, [&options](size_t index, std::string_view argument) {
        return kApply[index](argument, options);
      });
  if (!status.ok()) return status;
  return options;
}

std::string VersionText() { return StrCat("This is weir-proxy-", kVersion, "\n"); }

std::string UsageText() { return FlagsUsage("weir-proxy", kFlags); }

std::string DescribeStatsText() {
  const auto describe = [](std::string_view title, const auto& fields, std::string& text) {
    StrAppend(&text, title, ":\n");
    for (const auto& field : fields) {
      text += absl::StrFormat("  %-19s %s", ToAbsl(field.name), ToAbsl(field.help));
      if (!field.unit.empty()) StrAppend(&text, " (", field.unit, ")");
      text += '\n';
    }
  };
  std::string text;
  describe("process stats", kProcessStatFields, text);
  describe("\npool stats", std::span(kPoolStatFields).first<kTwemproxyPoolFields>(), text);
  describe("\nserver stats", kShardStatFields, text);
  return text;
}

}  // namespace weir
