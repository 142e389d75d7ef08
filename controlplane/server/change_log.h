// What the log says of a change of a pool. Thread-safe.
#pragma once

#include <string_view>

#include "controlplane/model/change.h"

namespace weir {

// `change` was made by `actor`, who came from `origin`. What only remembers a request is not told
// of.
void LogChange(const Change& change, std::string_view pool, std::string_view actor,
               std::string_view origin);

}  // namespace weir
