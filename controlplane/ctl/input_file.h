// Files that a command reads: pools, tokens, certificates.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace weir {

// The whole file; "-" is standard input. Blocks. The error names the path and the reason.
absl::StatusOr<std::string> ReadInputFile(const std::string& path);

}  // namespace weir
