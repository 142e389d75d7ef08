// absl::Status → grpc::Status. Pure; any thread.
#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace weir {

// The same code and message; what error_details.h attached goes into grpc-status-details-bin.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace weir
