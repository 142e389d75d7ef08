// Who makes a gRPC call: what Access asks for, taken from the call's context.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "controlplane/server/access.h"
#include "controlplane/server/metrics.h"
#include "grpcpp/server_context.h"

namespace weir {

// The caller of `context`, as `access` knows them, allowed to do what needs `needed`. The errors
// are Access::Check's; they are counted in `metrics`. Thread-safe.
absl::StatusOr<Admission> CheckCaller(const grpc::CallbackServerContext& context, Role needed,
                                      Access& access, ControlMetrics& metrics);

// Where the call comes from, for people and logs: "127.0.0.1:40312", "[::1]:40312", "unix".
std::string PeerAddress(const grpc::CallbackServerContext& context);

// The same without the port, "127.0.0.1", "[::1]", "unix": what limits count by.
std::string PeerHost(const grpc::CallbackServerContext& context);

}  // namespace weir
