// Commands that change one shard. Each is a Command::run (command.h).
#pragma once

#include "controlplane/ctl/change.h"
#include "controlplane/ctl/exit_code.h"
#include "controlplane/ctl/options.h"

namespace weir {

ExitCode AddShard(const CtlOptions& options, Session& session);
ExitCode RemoveShard(const CtlOptions& options, Session& session);
ExitCode SetWeight(const CtlOptions& options, Session& session);
ExitCode SetEndpoint(const CtlOptions& options, Session& session);
ExitCode DrainShard(const CtlOptions& options, Session& session);

}  // namespace weir
