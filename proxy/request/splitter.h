// Splitter: one request with many keys → one frame for each shard that has some of them. How a
// frame is written is for the protocol's encoder in codec/.
//
//   MGET a b c   →   shard 0: MGET a c      shard 1: MGET b
//
// Owned by a protocol's handler and reused, so that splitting allocates nothing in steady state;
// used on that worker's thread. Pure but for that: no sockets. Never fails: the keys were checked
// before. Keys keep their order within a fragment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/codec/command_table.h"
#include "proxy/request/request.h"
#include "proxy/routing/shard_selector.h"

namespace weir {

class Splitter {
 public:
  // Which shard has each key; remembered for the calls below. Answers how many shards there are.
  size_t Assign(CommandArgs args, const KeyPositions& keys, ShardSelector& selector);

  // After Assign: the index of the first key that is not on the first key's shard; 0 when all are.
  size_t first_stray() const { return first_stray_; }
  // After Assign: the shard of the i-th key.
  uint32_t shard_of(size_t i) const { return shard_of_key_[i]; }

  // After Assign: fills `split` with the fragments, and frames[i] with what fragment i sends.
  // Each key takes the arguments up to the next key along (MSET's values). `RequestEncoder` is
  // RespRequestEncoder, or another protocol's with the same functions.
  template <typename RequestEncoder>
  void Encode(const CommandSpec& spec, CommandArgs args, const KeyPositions& keys,
              ChunkPool& chunks, Split* split, std::vector<ByteQueue>* frames);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kKeptKeys = 1 << 14;  // memory for so many is kept between requests

  std::vector<uint32_t> shard_of_key_;
  std::vector<uint32_t> fragment_of_shard_;  // kNone where there is none
  std::vector<uint32_t> keys_of_fragment_;   // how many
  std::vector<uint32_t> shards_;             // by fragment
  size_t first_stray_ = 0;
};

template <typename RequestEncoder>
void Splitter::Encode(const CommandSpec& spec, CommandArgs args, const KeyPositions& keys,
                      ChunkPool& chunks, Split* split, std::vector<ByteQueue>* frames) {
  const uint32_t step = keys.size() > 1 ? keys[1] - keys[0] : static_cast<uint32_t>(spec.keys.step);
  split->merge = spec.merge;
  split->remaining = static_cast<uint32_t>(shards_.size());
  split->fragments.resize(shards_.size());
  frames->clear();
  frames->resize(shards_.size());
  for (size_t i = 0; i < shards_.size(); ++i) {
    split->fragments[i].shard = shards_[i];
    ByteQueueWriter out(chunks, (*frames)[i]);
    RequestEncoder::Begin(out, args[0], size_t{keys_of_fragment_[i]} * step);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint32_t fragment = fragment_of_shard_[shard_of_key_[i]];
    if (spec.merge == Merge::kConcat) split->fragment_of_key.push_back(fragment);
    ByteQueueWriter out(chunks, (*frames)[fragment]);
    for (uint32_t arg = keys[i]; arg < keys[i] + step; ++arg) {
      RequestEncoder::Argument(out, args[arg]);
    }
  }
  for (ByteQueue& frame : *frames) {
    ByteQueueWriter out(chunks, frame);
    RequestEncoder::End(out);
  }
}

}  // namespace weir
