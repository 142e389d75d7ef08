// Messages as JSON and YAML, for scripts: protobuf's JSON with the names of the .proto files.
// Pure; any thread.
#pragma once

#include <string>

#include "controlplane/ctl/options.h"
#include "google/protobuf/message.h"

namespace weir {

// Ends with a line feed. Fields without a presence of their own are always there, so that a script
// finds them: `false`, "0" (64-bit numbers are texts, as protobuf has them), []. Not for kTable.
std::string FormatMessage(const google::protobuf::Message& message, OutputFormat format);

// One line of JSON, for streams.
std::string MessageLine(const google::protobuf::Message& message);

}  // namespace weir
