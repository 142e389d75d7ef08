// The text of a pool's file in the embedded store:
//
//   # Comments are yours, too.
//   declared:                      # for people: the keys of pool_yaml.h
//     listen: 127.0.0.1:22121
//     servers:
//       - 127.0.0.1:6379:1 one
//   in_force:  # …                 # weir-control's own, to the end of the file
//     sha256: 5f0c…                # of the record's text
//     record:
//       {"name": "alpha", …}       # weir.v1.PoolRecord, with the spec that was accepted last
//
// The two halves are told apart by the line that begins with "in_force:", not by a YAML parser: a
// mistake in `declared` never makes the record unreadable. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// No file of the store is longer: what could not be read again is not written.
inline constexpr size_t kMaxStoredBytes = 64 << 20;
// RESOURCE_EXHAUSTED for a file that would be.
absl::Status TooLong(std::string_view path, size_t max_bytes);

// Both lend from the text that was split.
struct PoolFileParts {
  std::string_view declared;  // with the comments before and in it
  std::string_view in_force;  // empty: there is none
  int in_force_line = 0;
};
PoolFileParts SplitPoolFile(std::string_view text);

// A record with its place in the file and the checksum that is in it.
struct InForce {
  v1::PoolRecord record;
  std::string text;    // the whole of the file's second half
  std::string sha256;  // 64 hex digits; the record's revision
};

InForce FormatInForce(const v1::PoolRecord& record);

// DATA_LOSS, "FILE:LINE: …", when the text is not as FormatInForce made it.
absl::StatusOr<InForce> ParseInForce(std::string_view in_force, std::string_view file_name,
                                     int line);

// A file's first half with `spec`; what stands before `declared:` in `old_declared` is kept.
std::string FormatDeclaredPart(const v1::PoolSpec& spec, std::string_view pool,
                               std::string_view old_declared);

// Both halves as one text.
std::string JoinPoolFile(std::string_view declared, std::string_view in_force);

// JSON as people like to read it: what fits on a line is on a line. One line, or several that begin
// with `indent` spaces (the first has none).
std::string FormatJson(const google::protobuf::Message& message, size_t indent);

}  // namespace weir
