#include "proxy/request/splitter.h"

#include "proxy/base/check.h"
#include "proxy/codec/resp_encoder.h"

namespace weir {

size_t Splitter::Assign(CommandArgs args, const KeyPositions& keys, ShardSelector& selector) {
  for (uint32_t shard : shards_) fragment_of_shard_[shard] = kNone;
  fragment_of_shard_.resize(selector.shard_count(), kNone);
  shards_.clear();
  shard_of_key_.clear();
  if (shard_of_key_.capacity() > kKeptKeys) std::vector<uint32_t>().swap(shard_of_key_);
  keys_of_fragment_.clear();
  first_stray_ = 0;
  for (uint32_t position : keys) {
    uint32_t shard = selector.Select(args[position]).shard;
    shard_of_key_.push_back(shard);
    uint32_t& fragment = fragment_of_shard_[shard];
    if (fragment == kNone) {
      fragment = static_cast<uint32_t>(shards_.size());
      if (shards_.size() == 1) first_stray_ = position;
      shards_.push_back(shard);
      keys_of_fragment_.push_back(0);
    }
    ++keys_of_fragment_[fragment];
  }
  return shards_.size();
}

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
    AppendArrayHeader(out, 1 + static_cast<int64_t>(keys_of_fragment_[i]) * step);
    AppendBulk(out, args[0]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    uint32_t fragment = fragment_of_shard_[shard_of_key_[i]];
    if (spec.merge == Merge::kConcat) split->fragment_of_key.push_back(fragment);
    ByteQueueWriter out(chunks, (*frames)[fragment]);
    for (uint32_t arg = keys[i]; arg < keys[i] + step; ++arg) AppendBulk(out, args[arg]);
  }
}

}  // namespace weir
