#include "controlplane/server/grpc_servers.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/server/listen_check.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/server_builder.h"
#include "proto/grpc/health/v1/health.pb.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr int kMaxRequestBytes = 4 << 20;
constexpr unsigned kCertificateIntervalSeconds = 1;
// A proxy that has vanished is found dead after 30 s; proxies may ping every 10 s.
constexpr int kKeepaliveTimeMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kLeastPingIntervalMs = 5'000;

absl::Status CheckReadable(const std::string& file) {
  if (access(file.c_str(), R_OK) == 0) return absl::OkStatus();
  return InvalidArgument(file, ": ", std::strerror(errno));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(
    const ControlOptions& options) {
  if (!options.uses_tls()) return grpc::InsecureServerCredentials();
  for (const std::string& file : {options.tls_cert, options.tls_key, options.tls_client_ca}) {
    if (file.empty()) continue;
    absl::Status status = CheckReadable(file);
    if (!status.ok()) return status;
  }
  const bool takes_certificates = !options.tls_client_ca.empty();
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          options.tls_key, options.tls_cert, options.tls_client_ca, kCertificateIntervalSeconds));
  tls.watch_identity_key_cert_pairs();
  if (takes_certificates) {
    tls.watch_root_certs();
    // A client may show none and bring a token.
    tls.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(tls);
}

std::string AddressOf(const Endpoint& endpoint) {
  return endpoint.kind == EndpointKind::kUnix ? StrCat("unix:", endpoint.path)
                                              : FormatEndpoint(endpoint);
}

absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(
    std::string_view name, const Endpoint& endpoint,
    const std::shared_ptr<grpc::ServerCredentials>& credentials,
    std::span<grpc::Service* const> services, uint16_t& port) {
  if (absl::Status free = CheckListenable(endpoint); !free.ok()) {
    return Unavailable(name, ": ", FromAbsl(free.message()));
  }
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort(AddressOf(endpoint), credentials, &bound);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastPingIntervalMs);
  // Two control planes at one port would each hold half of the proxies.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const bool listens = server != nullptr && (bound > 0 || endpoint.kind == EndpointKind::kUnix);
  if (!listens) return Unavailable(name, ": cannot listen at ", FormatEndpoint(endpoint));
  port = endpoint.kind == EndpointKind::kUnix ? 0 : static_cast<uint16_t>(bound);
  return server;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServers>> GrpcServers::Start(const ControlOptions& options,
                                                                grpc::Service& discovery,
                                                                grpc::Service& admin) {
  const auto credentials = CredentialsOf(options);
  if (!credentials.ok()) return credentials.status();
  grpc::EnableDefaultHealthCheckService(true);
  // Reflection knows the files that are linked; gRPC links none for its own health service.
  CHECK(grpc::health::v1::HealthCheckRequest::descriptor() != nullptr);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  std::unique_ptr<GrpcServers> servers(new GrpcServers);
  const bool one_port = options.listen_discovery == options.listen_admin;
  const std::vector<grpc::Service*> first =
      one_port ? std::vector{&discovery, &admin} : std::vector{&discovery};
  auto server = StartServer("discovery", options.listen_discovery, *credentials, first,
                            servers->discovery_port_);
  if (!server.ok()) return server.status();
  servers->servers_.push_back(*std::move(server));
  servers->admin_port_ = servers->discovery_port_;
  if (!one_port) {
    grpc::Service* const second[] = {&admin};
    server = StartServer("admin", options.listen_admin, *credentials, second, servers->admin_port_);
    if (!server.ok()) return server.status();
    servers->servers_.push_back(*std::move(server));
  }
  return servers;
}

GrpcServers::~GrpcServers() { Shutdown(absl::InfinitePast()); }

void GrpcServers::SetServing(bool serving) {
  for (const auto& server : servers_) {
    grpc::HealthCheckServiceInterface* const health = server->GetHealthCheckService();
    health->SetServingStatus(serving);
    health->SetServingStatus("weir.v1.DiscoveryService", serving);
    health->SetServingStatus("weir.v1.AdminService", serving);
  }
}

void GrpcServers::Shutdown(absl::Time deadline) {
  for (const auto& server : servers_) server->Shutdown(absl::ToChronoTime(deadline));
  servers_.clear();
}

}  // namespace weir
