// CLIENT and its subcommands: what a session tells of itself and is told. Private to redis_local;
// pure, on the thread of the session whose state the request names.
#pragma once

#include <string>
#include <string_view>

#include "proxy/downstream/redis_local_request.h"

namespace weir {

// REQUIRES: one of RedisLocal::kClient….
LocalOutcome AnswerClient(const LocalRequest& request);

// Why a session cannot be called `name`, as an error reply; empty when it can.
std::string FaultOfClientName(std::string_view name);

}  // namespace weir
