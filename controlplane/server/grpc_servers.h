// GrpcServers: the ports of weir-control, with TLS, keepalive, limits, health and reflection.
//
// One server for discovery and one for the admin API, or one for both where their addresses are
// equal. Certificates are read again when their files change. Owned by the process; Shutdown or
// the destructor end it on the caller's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/server/options.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server.h"

namespace weir {

class GrpcServers {
 public:
  // The services outlive the servers. Fails when a port cannot be had (with address and reason; no
  // other process may share it), or a file of TLS be read.
  static absl::StatusOr<std::unique_ptr<GrpcServers>> Start(const ControlOptions& options,
                                                            grpc::Service& discovery,
                                                            grpc::Service& admin);
  ~GrpcServers();
  GrpcServers(const GrpcServers&) = delete;
  GrpcServers& operator=(const GrpcServers&) = delete;

  // What grpc.health.v1.Health answers for the services and the servers as a whole.
  void SetServing(bool serving);

  // Refuses new calls at once, waits for those that are under way until `deadline`, then cancels
  // them; returns when all have ended. Once.
  void Shutdown(absl::Time deadline);

  // 0 for Unix sockets.
  uint16_t discovery_port() const { return discovery_port_; }
  uint16_t admin_port() const { return admin_port_; }

 private:
  GrpcServers() = default;

  std::vector<std::unique_ptr<grpc::Server>> servers_;
  uint16_t discovery_port_ = 0;
  uint16_t admin_port_ = 0;
};

}  // namespace weir
