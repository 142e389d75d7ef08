// The command line: twemproxy's flags with its defaults, and Weir's own.
//
// Pure but for `threads`, whose default asks the kernel how many cores the process may use (see
// usable_cores.h). main() parses once; after that Options is a plain value that anyone may copy.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/base/version.h"
#include "proxy/config/flag_parser.h"

namespace weir {

struct Options {
  // --- what to do: main() does the first of these that is set, in this order, then ends ---
  bool show_help = false;       // -h: UsageText
  bool show_version = false;    // -V: VersionText
  bool describe_stats = false;  // -D: DescribeStatsText
  bool test_conf = false;       // -t: load the configuration, print its errors, exit 0 or 1

  // --- twemproxy's ---
  bool daemonize = false;                         // -d: run in the background
  int verbose = 5;                                // -v: log level, 0 (emergency) to 11 (everything)
  std::string output;                             // -o: log file; empty: stderr
  std::string conf_file = "conf/nutcracker.yml";  // -c; empty: none, with --control alone
  uint16_t stats_port = 22222;                    // -s
  std::string stats_addr = "0.0.0.0";             // -a: a numeric address or a host name
  absl::Duration stats_interval = absl::Milliseconds(30000);  // -i: accepted; stats are always live
  std::string pid_file;                                       // -p: empty: none
  uint64_t mbuf_size = 16384;                                 // -m: accepted, without effect

  // --- Weir's ---
  uint32_t threads = 1;  // workers, 1 to 256; default when parsed: UsableCores()
  absl::Duration drain_timeout = absl::Milliseconds(30000);  // longest drain before sessions close
  absl::Duration drain_delay =
      absl::ZeroDuration();  // accepting goes on for this long after SIGTERM
  // Bytes held for clients and shards; 0: none. Default when parsed: 3/4 of UsableMemory().
  uint64_t memory_limit = 0;

  // --- the control plane ---
  std::vector<std::string> controls;  // host:port, tried in turn; none: the file's pools are all
  std::string node_id;                // default when parsed: the host's name and the stats port
  std::string fleet = "default";
  std::vector<std::string> pools;  // of the fleet, to be served; none: all
  std::string zone;
  std::string control_ca;  // PEM; empty: plain text
  std::string control_cert;
  std::string control_key;
  std::string control_token_file;
  bool control_insecure = false;  // plain text to other hosts
  std::string state_dir;          // of the last good state; empty: none is kept
  bool state_secrets = false;     // secrets are part of it

  friend bool operator==(const Options&, const Options&) = default;
};

// Parses main's arguments, argv[0] (the program's name, ignored) included, and checks that they go
// together: no plain text beyond loopback without --control-insecure. Options may be bundled
// (`-dt`) and long names abbreviated, as getopt_long does. The error names the option, what was
// found and what was expected. Not to be called by two threads at once: getopt has global state.
absl::StatusOr<Options> ParseOptions(std::span<const char* const> argv);

// What -h, -V and -D print; each ends with a new line. -D describes what the statistics port shows.
std::string UsageText();
std::string VersionText();
std::string DescribeStatsText();

// Every flag, in the order of the usage text.
std::span<const FlagSpec> Flags();

}  // namespace weir
