// Where weir-control is and what is shown to it: from flags, environment and file, in this order
// of precedence. docs/weirctl.md has the table.
//
// Pure: whoever calls reads the file. A plain value.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/config/flag_parser.h"

namespace weir {

struct Connection {
  std::string server = "127.0.0.1:18001";  // host:port, or a Unix socket's path
  std::string token_file;                  // holds a bearer token; empty: none
  std::string ca;                          // PEM; empty: the system's authorities
  std::string cert;                        // PEM, with `key`: mutual TLS
  std::string key;
  bool insecure = false;                       // plain text beyond loopback
  absl::Duration timeout = absl::Seconds(10);  // of a call, without the wait for proxies
  // After so long without a word the server is asked whether it lives, and given up after as long
  // again. No setting: weir-control permits 5 s.
  absl::Duration keepalive = absl::Seconds(10);

  // Plain text on loopback when nothing asks for TLS, else TLS unless `insecure`.
  bool uses_tls() const;

  friend bool operator==(const Connection&, const Connection&) = default;
};

// --server and the like. A setting is `token-file` as a flag, WEIRCTL_TOKEN_FILE in the
// environment and `token_file` in the file.
std::span<const FlagSpec> ConnectionFlags();

// Takes setting `index` of ConnectionFlags; the error says what was expected. `value` of
// `insecure` is "true", "false", or "" for the flag.
absl::Status SetConnection(size_t index, std::string_view value, Connection& connection);

struct ConnectionSources {
  std::vector<std::pair<size_t, std::string>> flags;  // index in ConnectionFlags, argument
  // The variable of this name, or nothing.
  std::function<std::optional<std::string>(const std::string& name)> environment;
  std::string file_name;  // for errors
  std::string file_text;  // YAML; empty: none
};

// The defaults, changed by the file, then the environment, then the flags. An error names where
// the value stands.
absl::StatusOr<Connection> ResolveConnection(const ConnectionSources& sources);

}  // namespace weir
