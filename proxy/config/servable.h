// What of a configuration without mistakes can be served: limits of this version, not of the file's
// form. Pure; any thread. Errors say what was found and what was expected, without the place.
#pragma once

#include "absl/status/status.h"
#include "proxy/codec/command_table.h"
#include "proxy/config/pool_config.h"

namespace weir {

// Whether the pool's protocol is served.
absl::Status CheckProtocol(const PoolConfig& pool);

// An item of `commands:` as the command table takes it.
ExtraCommand ToExtraCommand(const CommandConfig& command);

// Whether redis's table takes `command` beside its own.
absl::Status CheckExtraCommand(const CommandConfig& command);

}  // namespace weir
