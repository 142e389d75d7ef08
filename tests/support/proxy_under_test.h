// The proxies that a conformance test runs against: twemproxy itself, whose behaviour is the
// promise, and weir-proxy, which takes the same configuration and flags.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_directory.h"

namespace weir {

struct ProxyProgram {
  std::string name;  // "twemproxy" or "weir"
  std::string path;

  friend void PrintTo(const ProxyProgram& program, std::ostream* out) { *out << program.name; }
};

// twemproxy ($NUTCRACKER, by default /usr/sbin/nutcracker), and weir-proxy if $WEIR_PROXY says
// where it is.
std::vector<ProxyProgram> ProxyPrograms();

// A proxy with its configuration, log and pid file in a directory of its own; killed when the
// object dies.
class RunningProxy {
 public:
  // `configuration` is the text of a twemproxy YAML file.
  RunningProxy(const ProxyProgram& program, const std::string& configuration);

  // What listens on this port of 127.0.0.1 answers a connection with twemproxy's stats, in JSON.
  uint16_t stats_port() const { return stats_port_; }

  // What it logged and printed so far, for the messages of failed tests.
  std::string Log() const;

  Process& process() { return process_; }

 private:
  std::vector<std::string> Command(const ProxyProgram& program, const std::string& configuration);

  TempDirectory directory_;
  uint16_t stats_port_;
  Process process_;
};

}  // namespace weir
