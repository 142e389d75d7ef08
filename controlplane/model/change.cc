#include "controlplane/model/change.h"

#include <algorithm>
#include <cstddef>

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

std::optional<size_t> FindSurplus(std::span<const v1::PoolRecord> deletions, size_t keep) {
  for (const bool of_pools : {true, false}) {
    const auto is_such = [of_pools](const auto& record) { return IsPool(record) == of_pools; };
    if (std::ranges::count_if(deletions, is_such) <= static_cast<ptrdiff_t>(keep)) continue;
    const auto oldest = std::ranges::find_if(deletions.rbegin(), deletions.rend(), is_such);
    return static_cast<size_t>(deletions.rend() - oldest) - 1;
  }
  return std::nullopt;
}

ChangeError RequestIdTaken(const std::string& id) {
  return {.code = absl::StatusCode::kAlreadyExists,
          .message = StrCat("request id ", id, " was used for another request")};
}

}  // namespace weir
