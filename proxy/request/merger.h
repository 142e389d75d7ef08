// Merger: the replies of a split request's fragments → one reply. Brings each of them into one
// piece of memory; how they are read and become one is for the protocol's merger in codec/.
//
// Owned by a protocol's handler and reused on that worker's thread, so that merging allocates
// nothing in steady state. Pure but for that: no sockets, no clock. What large replies take while
// they are in one piece counts in the worker's ChunkPool, and there is one copy of each.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/codec/reply_parts.h"
#include "proxy/request/request.h"

namespace weir {

class Merger {
 public:
  // Appends the merged reply of `split`, all of whose fragments have replied or failed (a failed
  // one has the encoded error as its reply), to `out`. Those of several chunks are taken out of
  // their fragments, the others stay. `protocol` is a RespMerger, or another
  // protocol's with the same Merge(parts, chunks, out). `errors_as_values`: an error takes the
  // place of each value that is missing (the pool's partial_mget: elements).
  template <typename ProtocolMerger>
  void Merge(Split& split, bool errors_as_values, ProtocolMerger& protocol, ChunkPool& chunks,
             ByteQueue* out) {
    protocol.Merge({.merge = split.merge,
                    .replies = TakeReplies(split, chunks),
                    .part_of_value = split.fragment_of_key,
                    .errors_as_values = errors_as_values},
                   chunks, out);
    DropScratch(chunks);
  }

 private:
  // Scratch larger than this goes back to the allocator after use.
  static constexpr size_t kKeptScratchBytes = 1 << 16;

  // Contiguous frames, until DropScratch.
  std::span<const std::string_view> TakeReplies(Split& split, ChunkPool& chunks);
  // What is in it; of its memory, what is large.
  void DropScratch(ChunkPool& chunks);

  std::vector<std::string_view> replies_;  // by fragment
  std::vector<std::string> scratch_;       // by fragment: replies that lay in several chunks
  size_t scratch_bytes_ = 0;               // of these, as counted in the pool
};

}  // namespace weir
