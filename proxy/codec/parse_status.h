// What an incremental parser answers. Shared by every parser of proxy/codec.
//
// Parsers are pure functions over bytes: they know no socket, no clock and no buffer. Wrong bytes
// are a value (kError), never an exception and never a CHECK, since they come from outside.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

enum class ParseStatus : uint8_t {
  kFrame,     // one complete frame was found
  kNeedMore,  // the bytes so far are the beginning of a frame
  kError,     // no continuation can make this a frame; the stream is beyond repair
};

struct ParseResult {
  ParseStatus status;
  size_t consumed;  // bytes of the input that were used; what follows belongs to the next frame

  friend bool operator==(const ParseResult&, const ParseResult&) = default;
};

}  // namespace weir
