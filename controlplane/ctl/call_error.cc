#include "controlplane/ctl/call_error.h"

#include <string>

#include "controlplane/ctl/text.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/google/rpc/status.pb.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// A line for each field that the details name; empty when they name none.
std::string FieldLines(const grpc::Status& error) {
  google::rpc::Status details;
  if (!details.ParseFromString(error.error_details())) return "";
  std::string lines;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::BadRequest bad_request;
    if (!detail.UnpackTo(&bad_request)) continue;
    for (const auto& violation : bad_request.field_violations()) {
      StrAppend(&lines, "\n  ", Displayable(violation.field()), ": ",
                Displayable(violation.description()));
    }
  }
  return lines;
}

// The message, then what to do.
std::string Describe(const grpc::Status& error, std::string_view server) {
  const std::string said = Displayable(error.error_message());
  switch (error.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return StrCat("no answer from weir-control at ", server, ": ", said,
                    "\nIs it running there? --server or WEIRCTL_SERVER names another address; "
                    "--ca the authorities of a server with TLS.");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return StrCat("weir-control at ", server,
                    " has not answered in time; --timeout permits it more.");
    case grpc::StatusCode::UNAUTHENTICATED:
      return StrCat(said, "\nGive --token-file, or --cert and --key.");
    case grpc::StatusCode::PERMISSION_DENIED:
      return StrCat(said, "\nChanges need credentials of the role `write`, questions `read`.");
    case grpc::StatusCode::NOT_FOUND:
      return StrCat(said,
                    "\n`weirctl get pools` lists the pools, `weirctl get shards POOL` the shards "
                    "and `weirctl get versions POOL` the versions of one.");
    case grpc::StatusCode::ABORTED:
      return StrCat(said,
                    "\nLook at the pool as it is, then repeat the command; --force would "
                    "change it all the same.");
    case grpc::StatusCode::UNIMPLEMENTED:
      return StrCat("weir-control at ", server, " does not know this call",
                    said.empty() ? "" : StrCat(": ", said),
                    "\nIs that its admin address (--listen-admin), and as new as weirctl?");
    default:
      return said.empty() ? StrCat("error ", static_cast<int>(error.error_code())) : said;
  }
}

}  // namespace

absl::Status CallError(const grpc::Status& error, std::string_view server) {
  const std::string fields = FieldLines(error);
  const std::string message =
      fields.empty() ? Describe(error, server) : StrCat("the request has mistakes:", fields);
  // Both use the numbers of google.rpc.Code.
  return {static_cast<absl::StatusCode>(error.error_code()), message};
}

}  // namespace weir
