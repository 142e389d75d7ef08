// RespMerger: the replies to the parts of one request → one reply, in RESP.
//
// Kept by whoever merges and used again, so that merging allocates nothing in steady state. Pure
// but for that; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/codec/reply_parts.h"
#include "proxy/codec/resp_reader.h"

namespace weir {

class RespMerger {
 public:
  // Appends the merged reply to `out`. A part whose reply is not what the merge expects makes the
  // whole an error.
  void Merge(const ReplyParts& parts, ChunkPool& chunks, ByteQueue* out);

 private:
  // One part's reply, without its attributes.
  struct Part {
    std::string_view frame;
    RespElements elements{std::string_view()};  // for kConcat
    uint32_t expected = 0;                      // how many
  };

  std::optional<std::string_view> FirstError() const;
  bool MergeSum(ByteQueueWriter& out) const;
  bool MergeAllOk(ByteQueueWriter& out) const;
  bool MergeConcat(std::span<const uint32_t> part_of_value, ByteQueueWriter& out);

  std::vector<Part> parts_;
};

}  // namespace weir
