// DiscoveryService: the gRPC side of discovery streams. Each call is one DiscoveryStream.
//
//   the cache wakes -> a push thread -> NextResponse -> write (one in flight) -> the ACK is read
//
// A stream owns nothing that grows: one request being read, one response being written, whose
// resources it shares with all other streams; a proxy that is slow to answer gets the latest state
// when it does, and holds up nobody. gRPC's threads never wait here.
#pragma once

#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "absl/time/time.h"
#include "controlplane/cache/proxy_registry.h"
#include "controlplane/cache/resource_cache.h"
#include "controlplane/server/access.h"
#include "controlplane/server/metrics.h"
#include "controlplane/server/peer_limit.h"
#include "controlplane/server/thread_pool.h"
#include "proto/weir/v1/discovery.grpc.pb.h"

namespace weir {

class DiscoveryService final
    : public v1::DiscoveryService::WithRawCallbackMethod_Stream<v1::DiscoveryService::Service> {
 public:
  // All of these outlive the service.
  struct Parts {
    ResourceCache& cache;
    ProxyRegistry& proxies;
    Access& access;
    ControlMetrics& metrics;
  };

  struct Options {
    absl::Duration max_age = absl::Minutes(30);        // of a stream, ±10 %
    absl::Duration first_request = absl::Seconds(10);  // longest silence of a new stream
    bool secure = false;  // the transport is TLS: proxies may have secrets
    PeerLimit::Limits streams = {.in_all = 20'000, .per_peer = 10'000};
  };

  DiscoveryService(const Parts& parts, const Options& options);
  // REQUIRES: the server has ended, and with it all calls.
  ~DiscoveryService() override;

  // Another access table is in force: ends the streams whose credential is not good any more.
  void RecheckAll();

  // Ends every stream with UNAVAILABLE, so that proxies come again elsewhere; later ones at once.
  void EndAll();

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(
      grpc::CallbackServerContext* context) override;

 private:
  class Call;

  std::vector<std::shared_ptr<Call>> Calls();
  absl::Duration RandomAge();

  const Parts parts_;
  const Options options_;
  PeerLimit limit_;
  std::mutex mutex_;  // of the next three
  std::set<Call*> calls_;
  bool ending_ = false;
  std::minstd_rand random_;
  ThreadPool push_threads_;  // last: ends first
};

}  // namespace weir
