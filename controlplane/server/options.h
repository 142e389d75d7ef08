// The command line of weir-control.
//
// main() parses once; after that ControlOptions is a plain value that anyone may copy. The table
// in docs/control_plane.md is compared with ControlFlags by a test.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/base/endpoint.h"
#include "proxy/config/flag_parser.h"

namespace weir {

struct ControlOptions {
  bool show_help = false;
  bool show_version = false;

  std::string data_dir = "/var/lib/weir-control";  // of the embedded store
  bool restored = false;                           // they are a backup: begin new histories
  std::string secrets_dir;                         // a file for each secret; empty: none

  // Port 0: the kernel chooses. Equal ones: one port serves both.
  Endpoint listen_discovery = TcpEndpoint("127.0.0.1", 18000);
  Endpoint listen_admin = TcpEndpoint("127.0.0.1", 18001);
  Endpoint http = TcpEndpoint("127.0.0.1", 18002);  // metrics and health

  // TLS on both gRPC ports when `tls_cert` is set; then `tls_key` is, too.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;  // when set, clients may show certificates that it signed
  bool insecure = false;      // plain text beyond loopback
  std::string tokens;         // who may do what (server/access.h); empty: everyone everything

  absl::Duration max_stream_age = absl::Minutes(30);   // of a discovery stream, ±10 %
  absl::Duration shutdown_timeout = absl::Seconds(5);  // longest wait for calls in flight

  // Discovery streams at once, and those from one address; WatchPools calls from one address.
  uint32_t max_streams = 20'000;
  uint32_t max_peer_streams = 10'000;
  uint32_t max_peer_watches = 100;

  int verbose = 5;     // log level, 0 (emergency) to 11 (everything)
  std::string output;  // log file; empty: stderr

  bool uses_tls() const { return !tls_cert.empty(); }

  friend bool operator==(const ControlOptions&, const ControlOptions&) = default;
};

// Parses main's arguments, argv[0] included, as ParseFlags does, and checks that they go together:
// no plain text beyond loopback without --insecure, no certificate without its key, neither TLS nor
// a port beyond loopback without a file that says who is let in.
absl::StatusOr<ControlOptions> ParseControlOptions(std::span<const char* const> argv);

std::string ControlUsageText();
std::string ControlVersionText();

// Every flag, in the order of the usage text.
std::span<const FlagSpec> ControlFlags();

}  // namespace weir
