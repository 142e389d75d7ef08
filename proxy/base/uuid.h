// Names that were never used before and never will be.
#pragma once

#include <string>

namespace weir {

// A random UUID (RFC 4122, version 4) from the system's entropy. Any thread.
std::string RandomUuid();

}  // namespace weir
