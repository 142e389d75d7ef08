// AdminClient: calls of the admin API with a deadline, credentials and retries.
//
// A call that ends with UNAVAILABLE is repeated three times within two seconds, the request
// unchanged: every change carries a request id, so that it takes effect once. Thread-safe; blocks
// the caller.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/ctl/call_error.h"
#include "controlplane/ctl/connection.h"
#include "grpcpp/client_context.h"
#include "proto/weir/v1/admin.grpc.pb.h"

namespace weir {

struct ClientSettings {
  std::string server;  // for messages
  std::string token;   // empty: none
  absl::Duration timeout = absl::Seconds(10);
  std::function<void(absl::Duration)> sleep;  // between the tries
};

class AdminClient {
 public:
  using Stub = v1::AdminService::StubInterface;
  template <typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  AdminClient(std::unique_ptr<Stub> stub, ClientSettings settings)
      : stub_(std::move(stub)), settings_(std::move(settings)) {}

  // The answer, or CallError. `extra` is added to the timeout.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method, const Request& request,
                                absl::Duration extra = absl::ZeroDuration()) const {
    Response response;
    absl::Status status = WithRetries(
        [&](grpc::ClientContext& context) {
          return ((*stub_).*method)(&context, request, &response);
        },
        settings_.timeout + extra);
    if (!status.ok()) return status;
    return response;
  }

  // Every message of WatchPools until `take` says false (OK) or the stream ends (its error).
  absl::Status Watch(const v1::WatchPoolsRequest& request,
                     const std::function<bool(const v1::WatchPoolsResponse&)>& take) const;

 private:
  absl::Status WithRetries(const std::function<grpc::Status(grpc::ClientContext&)>& call,
                           absl::Duration timeout) const;
  void AddCredentials(grpc::ClientContext& context) const;

  const std::unique_ptr<Stub> stub_;
  const ClientSettings settings_;
};

// A client of the server that `connection` names; connects when it is first called. Fails when a
// file cannot be read.
absl::StatusOr<std::unique_ptr<AdminClient>> ConnectAdmin(const Connection& connection);

// All pages of ListPools, ListProxies and ListVersions. An empty fleet or pool is every one.
absl::StatusOr<v1::ListPoolsResponse> ListAllPools(const AdminClient& client,
                                                   const std::string& fleet);
absl::StatusOr<v1::ListProxiesResponse> ListAllProxies(const AdminClient& client,
                                                       const std::string& fleet,
                                                       const std::string& pool);
absl::StatusOr<v1::ListVersionsResponse> ListAllVersions(const AdminClient& client,
                                                         const std::string& pool);

absl::StatusOr<v1::Pool> GetPool(const AdminClient& client, const std::string& name);

}  // namespace weir
