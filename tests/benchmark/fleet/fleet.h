// Simulated proxies: many discovery streams over a bounded number of connections.
//
// Owned and called by one thread; the streams run on gRPC's. Destroying it ends the streams and
// waits for them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/benchmark/fleet/access.h"
#include "tests/benchmark/fleet/catalog.h"
#include "tests/benchmark/fleet/fleet_progress.h"
#include "tests/benchmark/fleet/proxy_stream.h"

namespace weir::benchmark {

class Fleet {
 public:
  struct Options {
    std::string target;  // host:port of the discovery service
    Access access;
    size_t proxies = 1000;    // each a stream and a node of its own
    size_t connections = 20;  // that share the streams; at most `proxies` of them are made
    size_t ramp = 100;        // streams that are opened and not in sync yet, at most
  };

  // `catalog` outlives it.
  Fleet(const Options& options, const Catalog& catalog);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Opens all streams; returns when each of them holds everything. Once.
  absl::Status Open(absl::Duration longest);
  // Ends all streams; returns when that is done. Once, after Open.
  absl::Status Close(absl::Duration longest);

  void HoldAcks(bool hold);

  // That every proxy holds exactly these.
  absl::Status Check(const Versions& versions) const;

  FleetProgress& progress() { return progress_; }
  size_t size() const { return streams_.size(); }

 private:
  const Options options_;
  FleetProgress progress_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;  // one for each connection
  std::vector<std::unique_ptr<ProxyStream>> streams_;
  size_t begun_ = 0;  // of `streams_`
  bool closed_ = false;
};

}  // namespace weir::benchmark
