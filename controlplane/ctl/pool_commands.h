// Commands that change whole pools. Each is a Command::run (command.h).
#pragma once

#include "controlplane/ctl/change.h"
#include "controlplane/ctl/exit_code.h"
#include "controlplane/ctl/options.h"

namespace weir {

ExitCode CreatePools(const CtlOptions& options, Session& session);
ExitCode ApplyPools(const CtlOptions& options, Session& session);
ExitCode DeletePool(const CtlOptions& options, Session& session);
ExitCode ApprovePlan(const CtlOptions& options, Session& session);
ExitCode Rollback(const CtlOptions& options, Session& session);
ExitCode ImportFile(const CtlOptions& options, Session& session);

}  // namespace weir
