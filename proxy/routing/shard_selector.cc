#include "proxy/routing/shard_selector.h"

#include "proxy/base/check.h"

namespace weir {

ShardSelector::ShardSelector(PoolSnapshotPtr pool, uint64_t seed)
    : pool_(std::move(pool)),
      ring_(pool_->ring),
      live_(pool_->shard_count(), true),
      key_hash_(pool_->key_hash),
      hash_tag_(pool_->config.hash_tag),
      is_random_(pool_->config.distribution == Distribution::kRandom),
      random_(static_cast<uint32_t>(seed)) {}

void ShardSelector::SetHealth(std::shared_ptr<const Ring> ring, std::vector<bool> live) {
  CHECK_EQ(live.size(), live_.size());
  CHECK(!ring->empty());
  ring_ = std::move(ring);
  live_ = std::move(live);
  ++version_;
}

void ShardSelector::Update(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring,
                           std::vector<bool> live) {
  pool_ = std::move(pool);
  key_hash_ = pool_->key_hash;
  hash_tag_ = pool_->config.hash_tag;
  is_random_ = pool_->config.distribution == Distribution::kRandom;
  live_.resize(pool_->shard_count());
  SetHealth(std::move(ring), std::move(live));
}

}  // namespace weir
