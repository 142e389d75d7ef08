// What the text of a pool's file means beside the record in force: what people may have done to it,
// and what of that stays when weir-control writes the file anew. Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/store/pool_file.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// Whether what is held is another declaration, and came from the pool's file. A file that declares
// what is in force takes it back, but no change that somebody asked for by the API.
bool HoldsAnEdit(const v1::PoolRecord& record);

// A file that was looked at.
struct FoundFile {
  std::string declared;     // what is to stand there from here on
  bool is_whole = true;     // in_force is what weir-control wrote, and something is declared
  bool is_refused = false;  // `declared` is not to be looked at until it is changed
  // What is undone, "FILE:LINE: …". Such a file may also be one that is being saved at this moment.
  std::string error = {};
};

// `text` (none: there is no file) beside what was written. `remembered` is the `declared` that was
// looked at last: it stands in for one that is gone, with its comments. One that is cut short, or
// comes with the in_force of another declaration, stays where it is and is refused.
FoundFile LookAtFile(const std::optional<std::string>& text, const InForce& in_force,
                     std::string_view remembered, std::string_view path);

// The `declared` that a write of `record` leaves in a file that has `declared`. `current` is the
// record in force, null for a new pool. FAILED_PRECONDITION when the write would overwrite an edit
// that waits, or approves one that was undone.
absl::StatusOr<std::string> DeclaredFor(const v1::PoolRecord& record, const v1::PoolRecord* current,
                                        std::string_view declared, std::string_view path);

}  // namespace weir
