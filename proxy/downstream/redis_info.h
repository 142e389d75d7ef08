// INFO: the proxy's own state in redis' format. Private to redis_local; any
// thread. Nothing but the process' id comes from outside of its arguments.
#pragma once

#include <string>

#include "proxy/downstream/redis_local.h"

namespace weir {

// The sections named by INFO's arguments, in any case and order; all when there are none. Unknown
// ones are left out, as redis does.
std::string InfoText(CommandArgs wanted, const LocalContext& context);

}  // namespace weir
