#include "controlplane/server/grpc_status.h"

#include <string>

#include "controlplane/server/error_details.h"
#include "proto/google/rpc/status.pb.h"

namespace weir {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  // Both use the numbers of google.rpc.Code.
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const google::rpc::BadRequest bad_request = BadRequestOf(status);
  if (bad_request.field_violations().empty()) return {code, message};
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  details.add_details()->PackFrom(bad_request);
  return {code, message, details.SerializeAsString()};
}

}  // namespace weir
