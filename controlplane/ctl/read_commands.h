// Commands that change nothing. Each is a Command::run (command.h).
#pragma once

#include "controlplane/ctl/change.h"
#include "controlplane/ctl/exit_code.h"
#include "controlplane/ctl/options.h"

namespace weir {

ExitCode GetPools(const CtlOptions& options, Session& session);
ExitCode GetShards(const CtlOptions& options, Session& session);
ExitCode GetProxies(const CtlOptions& options, Session& session);
ExitCode GetVersions(const CtlOptions& options, Session& session);
ExitCode DescribePoolCommand(const CtlOptions& options, Session& session);
ExitCode ExplainKeyCommand(const CtlOptions& options, Session& session);
ExitCode WatchPools(const CtlOptions& options, Session& session);
ExitCode ExportPools(const CtlOptions& options, Session& session);

}  // namespace weir
