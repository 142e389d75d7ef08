// ControlProcess: the life of weir-control. It opens the store, serves, and ends, as signals tell.
//
//   SIGTERM, SIGINT   end: streams are told to come again elsewhere, calls in flight finish
//   SIGHUP, SIGUSR1   reopen the log
//
// Start, Shutdown and the destructor are called by one thread.
#pragma once

#include <atomic>
#include <memory>

#include "absl/status/statusor.h"
#include "controlplane/cache/proxy_registry.h"
#include "controlplane/cache/resource_cache.h"
#include "controlplane/server/access.h"
#include "controlplane/server/admin_service.h"
#include "controlplane/server/control_plane.h"
#include "controlplane/server/discovery_service.h"
#include "controlplane/server/grpc_servers.h"
#include "controlplane/server/http_server.h"
#include "controlplane/server/metrics.h"
#include "controlplane/server/options.h"
#include "controlplane/server/secret_directory.h"
#include "controlplane/server/ticker.h"
#include "controlplane/store/embedded_store.h"
#include "controlplane/store/endpoint_resolver.h"

namespace weir {

class ControlProcess {
 public:
  // Does what `options` ask for, --help and --version included, and returns the exit code.
  static int Main(const ControlOptions& options);

  // Serves when it returns. REQUIRES: `options` are ParseControlOptions'.
  static absl::StatusOr<std::unique_ptr<ControlProcess>> Start(const ControlOptions& options);
  ~ControlProcess();
  ControlProcess(const ControlProcess&) = delete;
  ControlProcess& operator=(const ControlProcess&) = delete;

  // Stops serving; waits for calls in flight as long as the options say. Later calls do nothing.
  void Shutdown();

  uint16_t discovery_port() const { return servers_->discovery_port(); }
  uint16_t admin_port() const { return servers_->admin_port(); }
  uint16_t http_port() const { return http_->port(); }

 private:
  explicit ControlProcess(const ControlOptions& options);

  absl::Status OpenStore();
  absl::Status Serve();

  const ControlOptions options_;
  std::atomic<bool> ready_ = false;

  // In the order in which they are made; they end the other way round, save the store, which ends
  // before the control plane: its thread calls there.
  ControlMetrics metrics_;
  ResourceCache cache_;
  ProxyRegistry proxies_;
  Ticker ticker_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<SecretDirectory> secrets_;
  std::unique_ptr<EmbeddedStore> store_;
  std::unique_ptr<ControlPlane> control_;
  std::unique_ptr<EndpointResolver> resolver_;
  std::unique_ptr<DiscoveryService> discovery_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<GrpcServers> servers_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace weir
