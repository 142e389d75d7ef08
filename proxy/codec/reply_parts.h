// ReplyParts: what a protocol's merger makes one reply of. Knows no protocol.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/codec/command_table.h"

namespace weir {

// The replies to the parts of one request. Borrows everything; views last for the call they are
// passed to.
struct ReplyParts {
  Merge merge = Merge::kNone;
  std::span<const std::string_view> replies = {};  // whole frames, one for each part
  // For Merge::kConcat: which part has the i-th value, in the order of the request's keys.
  std::span<const uint32_t> part_of_value = {};
  // For Merge::kConcat: an error takes the place of each value of its part. Else the first error is
  // the reply.
  bool errors_as_values = false;
};

}  // namespace weir
