#include "proxy/server/options.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/config/shard_item.h"
#include "proxy/server/usable_resources.h"
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
    {0, "memory-limit", "BYTES", "3/4 of usable memory",
     "Most memory for requests and replies on their way, at least 1M; K, M or G may follow; 0 for "
     "no "
     "limit."},
    {0, "control", "ADDRS", "none",
     "Control planes, host:port[,host:port]..., tried in turn; without -c, all pools come there."},
    {0, "node-id", "ID", "host name:stats port", "This proxy's name, unique in its fleet."},
    {0, "fleet", "NAME", "default", "Whose pools it serves."},
    {0, "pools", "NAME[,...]", "all of them", "Those of the fleet's pools that it serves."},
    {0, "zone", "NAME", "none", "Where it runs, for people."},
    {0, "control-ca", "FILE", "none", "Authorities (PEM) of the control planes; switches TLS on."},
    {0, "control-cert", "FILE", "none", "Its certificate (PEM) towards them; with --control-key."},
    {0, "control-key", "FILE", "none", "Private key (PEM) of --control-cert."},
    {0, "control-token-file", "FILE", "none", "Its bearer token towards them."},
    {0, "control-insecure", "", "", "Permit plain text to control planes on other hosts."},
    {0, "state-dir", "DIR", "none", "Keep the last good state here, to start without them."},
    {0, "state-secrets", "", "", "Keep secrets in --state-dir, too."},
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
  // With less even clients that behave would be closed.
  constexpr uint64_t kMin = uint64_t{1} << 20;
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
  if (!number || *number > kMax / unit || (*number > 0 && *number * unit < kMin)) {
    return InvalidArgument("a number of bytes >= 1M, such as 1073741824, 1024M or 1G; 0 for none");
  }
  options.memory_limit = *number * unit;
  return absl::OkStatus();
}

absl::Status SetControls(std::string_view argument, Options& options) {
  options.controls.clear();
  for (const absl::string_view item : absl::StrSplit(ToAbsl(argument), ',')) {
    const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(FromAbsl(item));
    if (!endpoint.ok() || endpoint->kind != EndpointKind::kTcp) {
      return InvalidArgument("host:port, or several with ',' between them");
    }
    options.controls.push_back(FormatEndpoint(*endpoint));
  }
  return absl::OkStatus();
}

// As weir.v1.Node has it.
template <std::string Options::* field>
absl::Status SetNodeText(std::string_view argument, Options& options) {
  const bool is_printable = std::ranges::all_of(argument, absl::ascii_isgraph);
  if (argument.empty() || argument.size() > 253 || !is_printable) {
    return InvalidArgument("1 to 253 printable characters without spaces");
  }
  options.*field = argument;
  return absl::OkStatus();
}

absl::Status SetFleet(std::string_view argument, Options& options) {
  if (!IsResourceName(argument)) return InvalidArgument(kResourceNameForm);
  options.fleet = argument;
  return absl::OkStatus();
}

absl::Status SetPools(std::string_view argument, Options& options) {
  options.pools.clear();
  for (const absl::string_view name : absl::StrSplit(ToAbsl(argument), ',')) {
    if (!IsResourceName(FromAbsl(name))) {
      return InvalidArgument("names with ',' between them, each ", kResourceNameForm);
    }
    options.pools.emplace_back(name);
  }
  return absl::OkStatus();
}

template <std::string Options::* field>
absl::Status SetPath(std::string_view argument, Options& options) {
  if (argument.empty()) return InvalidArgument("a path");
  options.*field = argument;
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
    SetControls,
    SetNodeText<&Options::node_id>,
    SetFleet,
    SetPools,
    SetNodeText<&Options::zone>,
    SetPath<&Options::control_ca>,
    SetPath<&Options::control_cert>,
    SetPath<&Options::control_key>,
    SetPath<&Options::control_token_file>,
    SetTrue<&Options::control_insecure>,
    SetPath<&Options::state_dir>,
    SetTrue<&Options::state_secrets>,
};
static_assert(std::size(kApply) == std::size(kFlags));

absl::Status CheckControl(const Options& options) {
  if (options.controls.empty()) return absl::OkStatus();
  if (options.control_cert.empty() != options.control_key.empty()) {
    return InvalidArgument("found one of --control-cert and --control-key, expected both or none");
  }
  if (!options.control_ca.empty()) return absl::OkStatus();
  if (!options.control_cert.empty()) {
    return InvalidArgument("found --control-cert without --control-ca, expected both");
  }
  for (const std::string& control : options.controls) {
    if (options.control_insecure || IsLoopback(*ParseEndpoint(control))) continue;
    return InvalidArgument("option --control: plain text to '", control,
                           "' would be open to the network; expected --control-ca, or a loopback "
                           "address, or --control-insecure");
  }
  return absl::OkStatus();
}

// The same after a restart, and another one for a second proxy on the host.
std::string DefaultNodeId(const Options& options) {
  char name[200] = "unknown";
  gethostname(name, sizeof(name) - 1);
  return StrCat(name, ":", options.stats_port);
}

}  // namespace

std::span<const FlagSpec> Flags() { return kFlags; }

absl::StatusOr<Options> ParseOptions(std::span<const char* const> argv) {
  Options options;
  bool conf_file_given = false;
  options.threads = UsableCores();
  options.memory_limit = UsableMemory() / 4 * 3;
  absl::Status status = ParseFlags(kFlags, argv, [&](size_t index, std::string_view argument) {
    conf_file_given |= kFlags[index].short_name == 'c';
    return kApply[index](argument, options);
  });
  if (!status.ok()) return status;
  if (status = CheckControl(options); !status.ok()) return status;
  if (options.node_id.empty()) options.node_id = DefaultNodeId(options);
  if (!conf_file_given && !options.controls.empty()) options.conf_file.clear();
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
