// One change of a pool from the command line: read, planned, confirmed, made, reported.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "controlplane/ctl/admin_client.h"
#include "controlplane/ctl/console.h"
#include "controlplane/ctl/exit_code.h"
#include "controlplane/ctl/options.h"

namespace weir {

// What a command works with; lends both.
struct Session {
  const AdminClient& client;
  Console& console;
};

// A call that changes a pool.
struct PoolChange {
  std::string pool;
  // The pool exists already: its etag is read and sent, so that what was planned is what is done.
  bool needs_etag = true;
  bool allow_missing = false;  // no error, and nothing to be done, when it does not exist
  bool always_ask = false;     // however few keys move
  // Makes the call with these options; `extra` as for AdminClient::Call.
  std::function<absl::StatusOr<v1::ChangeResponse>(const v1::ChangeOptions& options,
                                                   absl::Duration extra)>
      send;
};

// The `send` of a PoolChange: `request` with the options.
template <typename Request>
auto SendRequest(const AdminClient& client, AdminClient::Method<Request, v1::ChangeResponse> method,
                 Request request) {
  return
      [&client, method, request](const v1::ChangeOptions& options, absl::Duration extra) mutable {
        *request.mutable_options() = options;
        return client.Call(method, request, extra);
      };
}

// Does what `options` say: the plan alone; or shows the plan, asks when more than 5 % of the keys
// move, makes the change under a new request id, waits for the proxies with a line of progress,
// and prints the result. Errors are printed.
ExitCode MakeChange(const PoolChange& change, const CtlOptions& options, Session& session);

// Prints `error` and says how weirctl ends.
ExitCode Fail(const absl::Status& error, Console& console);

}  // namespace weir
