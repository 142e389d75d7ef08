#include "controlplane/server/options.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>

#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/base/version.h"

namespace weir {
namespace {

constexpr int kMostVerbose = 11;

constexpr FlagSpec kFlags[] = {
    {'h', "help", "", "", "Print this help and exit."},
    {'V', "version", "", "", "Print the version and exit."},
    {'d', "data-dir", "DIR", "/var/lib/weir-control", "Pools and their history; one writer only."},
    {0, "restored", "", "", "The data are a backup: proxies take them whatever they hold."},
    {0, "secrets-dir", "DIR", "none", "Secrets, a file for each; its name is the secret's."},
    {0, "listen-discovery", "ADDR", "127.0.0.1:18000",
     "Where proxies connect: host:port or /path."},
    {0, "listen-admin", "ADDR", "127.0.0.1:18001",
     "Where weirctl connects; may be the same address."},
    {0, "http", "ADDR", "127.0.0.1:18002", "Metrics and health: host:port."},
    {0, "tls-cert", "FILE", "none", "Certificate chain (PEM) of both gRPC ports; with --tls-key."},
    {0, "tls-key", "FILE", "none", "Private key (PEM) of --tls-cert."},
    {0, "tls-client-ca", "FILE", "none", "Authorities (PEM) whose client certificates count."},
    {0, "insecure", "", "", "Permit plain text beyond loopback; with --tokens."},
    {0, "tokens", "FILE", "none",
     "Who may do what; without it, on loopback only, everyone everything."},
    {0, "max-stream-age", "SEC", "1800", "Age at which a discovery stream is to come again."},
    {0, "shutdown-timeout", "MSEC", "5000", "After a SIGTERM, longest wait for calls in flight."},
    {0, "max-streams", "N", "20000", "Discovery streams at once."},
    {0, "max-peer-streams", "N", "10000", "... from one address (all of a Unix socket's are one)."},
    {0, "max-peer-watches", "N", "100", "WatchPools calls at once from one address."},
    {'v', "verbose", "N", "5", "Log level, from 0 (emergencies) to 11 (everything)."},
    {'o', "output", "FILE", "stderr", "Log file."},
};

// --- one function for each flag: takes the argument, or says what was expected ---

using Apply = absl::Status (*)(std::string_view argument, ControlOptions& options);

template <bool ControlOptions::* field>
absl::Status SetTrue(std::string_view, ControlOptions& options) {
  options.*field = true;
  return absl::OkStatus();
}

template <std::string ControlOptions::* field>
absl::Status SetPath(std::string_view argument, ControlOptions& options) {
  if (argument.empty()) return InvalidArgument("a path");
  options.*field = argument;
  return absl::OkStatus();
}

template <Endpoint ControlOptions::* field>
absl::Status SetEndpoint(std::string_view argument, ControlOptions& options) {
  constexpr std::string_view kAnyPort = ":0";
  const bool any_port = argument.ends_with(kAnyPort);
  absl::StatusOr<Endpoint> endpoint = ParseEndpoint(
      any_port ? StrCat(argument.substr(0, argument.size() - 1), "1") : std::string(argument));
  if (!endpoint.ok()) return InvalidArgument("host:port, [ipv6]:port or /path");
  if (any_port) endpoint->port = 0;
  options.*field = *std::move(endpoint);
  return absl::OkStatus();
}

absl::Status SetHttp(std::string_view argument, ControlOptions& options) {
  absl::Status status = SetEndpoint<&ControlOptions::http>(argument, options);
  if (!status.ok() || options.http.kind == EndpointKind::kUnix) {
    return InvalidArgument("host:port or [ipv6]:port");
  }
  return status;
}

absl::Status SetMaxStreamAge(std::string_view argument, ControlOptions& options) {
  const std::optional<int32_t> number = ParseInt<int32_t>(argument);
  if (!number || *number < 1 || *number > 86400) return InvalidArgument("seconds from 1 to 86400");
  options.max_stream_age = absl::Seconds(*number);
  return absl::OkStatus();
}

absl::Status SetShutdownTimeout(std::string_view argument, ControlOptions& options) {
  const std::optional<int32_t> number = ParseInt<int32_t>(argument);
  if (!number || *number < 0) return InvalidArgument("milliseconds from 0 to 2147483647");
  options.shutdown_timeout = absl::Milliseconds(*number);
  return absl::OkStatus();
}

template <uint32_t ControlOptions::* field>
absl::Status SetLimit(std::string_view argument, ControlOptions& options) {
  const std::optional<int32_t> number = ParseInt<int32_t>(argument);
  if (!number || *number < 1) return InvalidArgument("a number from 1 to 2147483647");
  options.*field = static_cast<uint32_t>(*number);
  return absl::OkStatus();
}

absl::Status SetVerbose(std::string_view argument, ControlOptions& options) {
  const std::optional<int> number = ParseInt<int>(argument);
  if (!number || *number < 0 || *number > kMostVerbose) {
    return InvalidArgument("a number from 0 to ", kMostVerbose);
  }
  options.verbose = *number;
  return absl::OkStatus();
}

constexpr Apply kApply[] = {
    // in the order of kFlags
    SetTrue<&ControlOptions::show_help>,
    SetTrue<&ControlOptions::show_version>,
    SetPath<&ControlOptions::data_dir>,
    SetTrue<&ControlOptions::restored>,
    SetPath<&ControlOptions::secrets_dir>,
    SetEndpoint<&ControlOptions::listen_discovery>,
    SetEndpoint<&ControlOptions::listen_admin>,
    SetHttp,
    SetPath<&ControlOptions::tls_cert>,
    SetPath<&ControlOptions::tls_key>,
    SetPath<&ControlOptions::tls_client_ca>,
    SetTrue<&ControlOptions::insecure>,
    SetPath<&ControlOptions::tokens>,
    SetMaxStreamAge,
    SetShutdownTimeout,
    SetLimit<&ControlOptions::max_streams>,
    SetLimit<&ControlOptions::max_peer_streams>,
    SetLimit<&ControlOptions::max_peer_watches>,
    SetVerbose,
    SetPath<&ControlOptions::output>,
};
static_assert(std::size(kApply) == std::size(kFlags));

absl::Status CheckTogether(const ControlOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return InvalidArgument("--tls-cert and --tls-key: expected both or none");
  }
  if (!options.tls_client_ca.empty() && !options.uses_tls()) {
    return InvalidArgument("--tls-client-ca: expected --tls-cert and --tls-key with it");
  }
  if (options.uses_tls() && options.tokens.empty()) {
    return InvalidArgument("--tls-cert: expected --tokens with it, which says who may do what");
  }
  if (options.uses_tls()) return absl::OkStatus();
  for (const auto& [flag, endpoint] : {std::pair{"--listen-discovery", options.listen_discovery},
                                       std::pair{"--listen-admin", options.listen_admin}}) {
    if (IsLoopback(endpoint)) continue;
    if (!options.insecure) {
      return InvalidArgument(flag, ": plain text at '", FormatEndpoint(endpoint),
                             "' would be open to the network; expected --tls-cert and --tls-key, "
                             "or a loopback address, or --insecure");
    }
    if (options.tokens.empty()) {
      return InvalidArgument(
          flag, ": '", FormatEndpoint(endpoint),
          "' would let everybody do everything; expected --tokens with it, which "
          "says who may do what");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const FlagSpec> ControlFlags() { return kFlags; }

absl::StatusOr<ControlOptions> ParseControlOptions(std::span<const char* const> argv) {
  ControlOptions options;
  absl::Status status =
      ParseFlags(kFlags, argv, [&options](size_t index, std::string_view argument) {
        return kApply[index](argument, options);
      });
  if (status.ok() && !options.show_help && !options.show_version) status = CheckTogether(options);
  if (!status.ok()) return status;
  return options;
}

std::string ControlUsageText() { return FlagsUsage("weir-control", kFlags); }

std::string ControlVersionText() { return StrCat("This is weir-control-", kVersion, "\n"); }

}  // namespace weir
