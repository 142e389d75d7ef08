// Errors that name the fields of a request: absl::Status with a google.rpc.BadRequest.
//
// The BadRequest is a payload of the status under its type's URL, as Google's clients know it;
// the gRPC services put it into the call's details (grpc_status.h). Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "controlplane/model/change.h"
#include "proto/google/rpc/error_details.pb.h"

namespace weir {

inline constexpr std::string_view kBadRequestUrl = "type.googleapis.com/google.rpc.BadRequest";

absl::Status StatusOf(const ChangeError& error);

// INVALID_ARGUMENT with one violation.
absl::Status InvalidField(std::string_view field, std::string_view description);

// Empty when the status names no fields.
google::rpc::BadRequest BadRequestOf(const absl::Status& status);

}  // namespace weir
