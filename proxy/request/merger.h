// Merger: the replies of a split request's fragments → one reply.
//
// Owned by a protocol's handler and reused on that worker's thread, so that merging allocates
// nothing in steady state. Pure but for that: no sockets, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/codec/resp_reader.h"
#include "proxy/request/request.h"

namespace weir {

class Merger {
 public:
  // Appends the merged reply of `split`, all of whose fragments have replied or failed (a failed
  // one has the encoded error as its reply), to `out`. `partial_elements`: an error takes the place
  // of each value that is missing (the pool's partial_mget: elements); otherwise the first error is
  // the reply. A fragment whose reply is not what the merge expects makes the whole an error.
  void Merge(const Split& split, bool partial_elements, ChunkPool& chunks, ByteQueue* out);

 private:
  // Scratch larger than this goes back to the allocator after use.
  static constexpr size_t kKeptScratchBytes = 1 << 16;

  // One fragment's reply, as a contiguous frame.
  struct Part {
    std::string_view frame;
    RespElements elements{std::string_view()};  // for kConcat
    uint32_t expected = 0;                      // how many
  };

  void TakeFrames(const Split& split);
  void DropLargeScratch();
  std::optional<std::string_view> FirstError() const;
  bool MergeSum(ByteQueueWriter& out) const;
  bool MergeAllOk(ByteQueueWriter& out) const;
  bool MergeConcat(const Split& split, ByteQueueWriter& out);

  std::vector<Part> parts_;
  std::vector<std::string> scratch_;  // by fragment: replies that lie in several chunks
};

}  // namespace weir
