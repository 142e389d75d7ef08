#include "controlplane/ctl/connection.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/config/yaml_tree.h"

namespace weir {
namespace {

constexpr FlagSpec kFlags[] = {
    {'s', "server", "ADDR", "127.0.0.1:18001", "weir-control's admin address, or /path."},
    {0, "token-file", "FILE", "none", "File with a bearer token."},
    {0, "ca", "FILE", "the system's", "Authorities (PEM) that may vouch for the server; TLS."},
    {0, "cert", "FILE", "none", "Client certificate (PEM), with --key; TLS."},
    {0, "key", "FILE", "none", "Private key (PEM) of --cert."},
    {0, "insecure", "", "", "Plain text to a server that is not on this machine."},
    {0, "timeout", "SEC", "10", "Longest wait for an answer."},
};

// --- one function for each setting ---

using Apply = absl::Status (*)(std::string_view value, Connection& connection);

absl::Status SetServer(std::string_view value, Connection& connection) {
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(value);
  if (!endpoint.ok()) return InvalidArgument("host:port, [ipv6]:port or /path");
  connection.server = FormatEndpoint(*endpoint);
  return absl::OkStatus();
}

template <std::string Connection::* field>
absl::Status SetPath(std::string_view value, Connection& connection) {
  if (value.empty()) return InvalidArgument("a path");
  connection.*field = value;
  return absl::OkStatus();
}

absl::Status SetInsecure(std::string_view value, Connection& connection) {
  if (!value.empty() && value != "true" && value != "false") {
    return InvalidArgument("true or false");
  }
  connection.insecure = value != "false";
  return absl::OkStatus();
}

absl::Status SetTimeout(std::string_view value, Connection& connection) {
  const std::optional<int32_t> seconds = ParseInt<int32_t>(value);
  if (!seconds || *seconds < 1 || *seconds > 3600) return InvalidArgument("seconds from 1 to 3600");
  connection.timeout = absl::Seconds(*seconds);
  return absl::OkStatus();
}

constexpr Apply kApply[] = {
    // in the order of kFlags
    SetServer,
    SetPath<&Connection::token_file>,
    SetPath<&Connection::ca>,
    SetPath<&Connection::cert>,
    SetPath<&Connection::key>,
    SetInsecure,
    SetTimeout,
};
static_assert(std::size(kApply) == std::size(kFlags));

std::string FileKey(const FlagSpec& flag) {
  return absl::StrReplaceAll(ToAbsl(flag.long_name), {{"-", "_"}});
}

std::string VariableName(const FlagSpec& flag) {
  return StrCat("WEIRCTL_", absl::AsciiStrToUpper(FileKey(flag)));
}

absl::Status ApplyEntry(const YamlEntry& entry, std::string_view file_name,
                        Connection& connection) {
  const auto flag = std::ranges::find(kFlags, entry.key.text, FileKey);
  const std::string where = StrCat(file_name, ":", entry.key.line, ": ");
  if (flag == std::end(kFlags)) {
    std::string known;
    for (const FlagSpec& each : kFlags) StrAppend(&known, known.empty() ? "" : ", ", FileKey(each));
    return InvalidArgument(where, "found ", DescribeFound(entry.key), ", expected one of ", known);
  }
  absl::Status status =
      entry.value.kind == YamlKind::kScalar && !entry.value.text.empty()
          ? SetConnection(static_cast<size_t>(flag - kFlags), entry.value.text, connection)
          : InvalidArgument("a value");
  if (status.ok()) return status;
  return InvalidArgument(where, "key '", entry.key.text, "': found ", DescribeFound(entry.value),
                         ", expected ", FromAbsl(status.message()));
}

absl::Status ApplyFile(const ConnectionSources& sources, Connection& connection) {
  const absl::StatusOr<YamlNode> document = ParseYaml(sources.file_text, sources.file_name);
  if (!document.ok()) return document.status();
  if (document->kind == YamlKind::kNull) return absl::OkStatus();
  if (document->kind != YamlKind::kMap) {
    return InvalidArgument(sources.file_name, ":", document->line, ": found ",
                           DescribeFound(*document), ", expected a map with server and more");
  }
  for (const YamlEntry& entry : document->entries) {
    if (absl::Status status = ApplyEntry(entry, sources.file_name, connection); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status ApplyEnvironment(const ConnectionSources& sources, Connection& connection) {
  for (size_t i = 0; i < std::size(kFlags); ++i) {
    const std::string name = VariableName(kFlags[i]);
    const std::optional<std::string> value = sources.environment(name);
    if (!value || value->empty()) continue;
    if (absl::Status status = SetConnection(i, *value, connection); !status.ok()) {
      return InvalidArgument("environment variable ", name, ": found '", *value, "', expected ",
                             FromAbsl(status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool Connection::uses_tls() const {
  if (!ca.empty() || !cert.empty()) return true;
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(server);
  return !insecure && !(endpoint.ok() && IsLoopback(*endpoint));
}

std::span<const FlagSpec> ConnectionFlags() { return kFlags; }

absl::Status SetConnection(size_t index, std::string_view value, Connection& connection) {
  return kApply[index](value, connection);
}

absl::StatusOr<Connection> ResolveConnection(const ConnectionSources& sources) {
  Connection connection;
  if (absl::Status status = ApplyFile(sources, connection); !status.ok()) return status;
  if (absl::Status status = ApplyEnvironment(sources, connection); !status.ok()) return status;
  for (const auto& [index, value] : sources.flags) {
    if (absl::Status status = SetConnection(index, value, connection); !status.ok()) return status;
  }
  if (connection.cert.empty() != connection.key.empty()) {
    return InvalidArgument("--cert and --key: expected both or none");
  }
  return connection;
}

}  // namespace weir
