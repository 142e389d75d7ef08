#include "controlplane/model/change.h"

#include "proxy/base/strings.h"

namespace weir {

ChangeError InvalidFields(std::vector<FieldViolation> violations) {
  std::string message;
  for (const FieldViolation& violation : violations) {
    StrAppend(&message, message.empty() ? "" : "; ", violation.field, ": ", violation.description);
  }
  return {.code = absl::StatusCode::kInvalidArgument,
          .message = std::move(message),
          .violations = std::move(violations)};
}

bool IsPool(const v1::PoolRecord& record) { return record.shard_map().generation() > 0; }

ChangeError RequestIdTaken(const std::string& id) {
  return {.code = absl::StatusCode::kAlreadyExists,
          .message = StrCat("request id ", id, " was used for another request")};
}

}  // namespace weir
