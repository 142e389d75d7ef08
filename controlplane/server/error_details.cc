#include "controlplane/server/error_details.h"

#include "absl/strings/cord.h"
#include "proxy/base/strings.h"

namespace weir {

absl::Status StatusOf(const ChangeError& error) {
  absl::Status status(error.code, ToAbsl(error.message));
  if (error.violations.empty()) return status;
  google::rpc::BadRequest details;
  for (const FieldViolation& violation : error.violations) {
    google::rpc::BadRequest::FieldViolation& added = *details.add_field_violations();
    added.set_field(violation.field);
    added.set_description(violation.description);
  }
  status.SetPayload(ToAbsl(kBadRequestUrl), absl::Cord(ToAbsl(details.SerializeAsString())));
  return status;
}

absl::Status InvalidField(std::string_view field, std::string_view description) {
  return StatusOf(
      InvalidFields({{.field = std::string(field), .description = std::string(description)}}));
}

google::rpc::BadRequest BadRequestOf(const absl::Status& status) {
  google::rpc::BadRequest details;
  const auto payload = status.GetPayload(ToAbsl(kBadRequestUrl));
  if (payload) details.ParseFromString(std::string(*payload));
  return details;
}

}  // namespace weir
