// COMMAND and its subcommands: which commands there are, and where their keys are. Private to
// redis_local; pure, on the thread of the session whose state the request names.
#pragma once

#include "proxy/downstream/redis_local_request.h"

namespace weir {

// REQUIRES: one of RedisLocal::kCommand….
//
// Only commands that the pool lets pass are shown, so that clients which look before they send do
// not meet an error. Categories, tips and key specifications are empty.
void AnswerCommand(const LocalRequest& request);

}  // namespace weir
