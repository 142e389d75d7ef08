// Reads complete replies: what merging and the proxy's own requests need to know of them.
//
// Every function takes one whole frame, as RespFrameScanner found it, in contiguous memory. None
// allocates, and none trusts the frame: what is not as expected reads as "no". Attributes (|) in
// front of the frame are passed over. Views are into the frame. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/codec/resp_frame_scanner.h"

namespace weir {

// The frame without its attributes: its type is the first byte. Empty if nothing is left.
std::string_view WithoutAttributes(std::string_view frame);

// The value of `:N`; nothing for other types and for what is not an int64.
std::optional<int64_t> ReadInteger(std::string_view frame);

// The value of `$` and `!`, of `=` without its format, and of `+`; nothing for nulls and others.
std::optional<std::string_view> ReadString(std::string_view frame);

// `-` or `!`.
bool IsError(std::string_view frame);

// The text of an error, its code included; empty for other types.
std::string_view ErrorText(std::string_view frame);

// Whether the frame is the simple string `text`, as in IsSimple(reply, "OK").
bool IsSimple(std::string_view frame, std::string_view text);

// `$-1`, `*-1` or `_`.
bool IsNull(std::string_view frame);

// The elements of a top-level array, set, push or map (keys and values in turn), one after the
// other, each as its raw bytes with its own attributes:
//
//   RespElements elements(reply);
//   while (std::optional<std::string_view> element = elements.Next()) …
//
// Borrows the frame. An element that is cut off or malformed ends the iteration early, which
// elements.remaining() > 0 shows.
class RespElements {
 public:
  explicit RespElements(std::string_view frame);

  // False if the frame is not an aggregate, or a null one.
  bool is_aggregate() const { return count_ >= 0; }

  // Announced elements (of a map: twice its pairs); -1 if not an aggregate.
  int64_t count() const { return count_; }

  // Elements not yet returned.
  int64_t remaining() const { return remaining_; }

  // The next raw element, or nothing.
  std::optional<std::string_view> Next();

 private:
  RespFrameScanner scanner_;
  std::string_view rest_;
  int64_t count_ = -1;
  int64_t remaining_ = 0;
};

}  // namespace weir
