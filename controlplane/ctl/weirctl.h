// weirctl from command line to exit code.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "controlplane/ctl/console.h"
#include "controlplane/ctl/exit_code.h"

namespace weir {

// The variable of the environment of this name, or nothing.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// Does what main's arguments (argv[0] included) say; blocks until it is done. Reads the settings
// file and those that the command names. At most one thread at a time.
ExitCode RunWeirctl(std::span<const char* const> argv, const Environment& environment,
                    Console& console);

}  // namespace weir
