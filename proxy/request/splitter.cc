#include "proxy/request/splitter.h"

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
      if (shards_.size() == 1) first_stray_ = shard_of_key_.size() - 1;
      shards_.push_back(shard);
      keys_of_fragment_.push_back(0);
    }
    ++keys_of_fragment_[fragment];
  }
  return shards_.size();
}

}  // namespace weir
