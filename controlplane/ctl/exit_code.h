// How weirctl ends, for scripts; docs/weirctl.md has the same table.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace weir {

enum class ExitCode : uint8_t {
  kDone = 0,
  kError = 1,         // refused: no such pool, a wrong value, a file that cannot be read
  kUsage = 2,         // the command line makes no sense
  kHeld = 3,          // the pool's guard holds the change, or would
  kNotAcked = 4,      // changed, but not every proxy has acknowledged it
  kUnreachable = 5,   // no answer from weir-control
  kNotAllowed = 6,    // the credentials do not permit it
  kNotConfirmed = 7,  // nobody said yes
  kConflict = 8,      // the pool has changed since it was read
};

// What a call's error ends weirctl with. REQUIRES: an error.
inline ExitCode ExitCodeOf(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kNotAllowed;
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    default:
      return ExitCode::kError;
  }
}

}  // namespace weir
