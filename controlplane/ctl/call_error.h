// What went wrong with a call, told so that the reader knows what to do. Pure; any thread.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace weir {

// The same code; the message says what happened, one line for each field that is wrong, and what
// can be done about it. `server` is the address as given. REQUIRES: an error.
absl::Status CallError(const grpc::Status& error, std::string_view server);

}  // namespace weir
