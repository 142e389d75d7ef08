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
  // Starts the resolver and gives it a moment, so that proxies are told of no shard without
  // addresses that has some.
  void LookUpNames();
  absl::Status Serve();
  // One round of the ticker.
  Moment Tick(Moment now);
  void SaveAddresses();

  const ControlOptions options_;
  std::atomic<bool> ready_ = false;
  uint64_t saved_addresses_ = 0;  // AddressBook::Changes; the saving ticker's
  uint64_t access_table_ = 0;     // Access::TableNumber; the ticker's

  // In the order in which they are made; they end the other way round, save the store, which ends
  // before the control plane: its thread calls there.
  ControlMetrics metrics_;
  ResourceCache cache_;
  ProxyRegistry proxies_;
  Ticker ticker_;
  // Of pools whose addresses change; makes changes that waited for names. Waits for changes under
  // way.
  Ticker refresher_;
  Ticker watch_ticker_;  // says how proxies stand, and what pools wait for
  Ticker saver_;         // of addresses: a disk that hangs holds up no change
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
