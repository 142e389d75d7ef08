// Configuration file → Config: every key checked, every error reported at once.
//
// Accepts what twemproxy accepts, and any YAML around it (flow style, anchors, merge keys, `---`).
// Pure but for LoadConfigFile, which reads one file and may block; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proxy/config/pool_config.h"

namespace weir {

// Whether a file without a pool is a mistake.
enum class NoPools : uint8_t { kRefused, kAllowed };

// The error's message holds one line per mistake, in the order of the file as far as possible:
//   FILE:LINE: pool 'alpha', key 'timeout': found 'abc', expected milliseconds >= 0
// with `file_name` for FILE. It never shows a password.
absl::StatusOr<Config> LoadConfig(std::string_view text, std::string_view file_name,
                                  NoPools no_pools = NoPools::kRefused);

// The same for the file at `path`; a file that cannot be read is an error with the reason.
absl::StatusOr<Config> LoadConfigFile(const std::string& path,
                                      NoPools no_pools = NoPools::kRefused);

}  // namespace weir
