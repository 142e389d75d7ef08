// Whether a server may listen at an address, asked before a library is told to.
//
// gRPC and cpp-httplib give no reason for a port that they cannot have (gRPC writes a dump of its
// own), and gRPC removes a Unix socket that another process is serving. Between the check and the
// library's own attempt the address may be taken: then the library refuses.
#pragma once

#include "absl/status/status.h"
#include "proxy/base/endpoint.h"

namespace weir {

// OK, or UNAVAILABLE: "cannot listen at ADDRESS: reason". Of a name with several addresses none may
// be in use, and one must be there to be had. Blocks as a look-up does when the host is a name. Any
// thread.
absl::Status CheckListenable(const Endpoint& endpoint);

}  // namespace weir
