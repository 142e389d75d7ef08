// Snapshot: everything the workers must know about the pools, as one immutable value.
//
// Built by snapshot_builder.h from a Config, whatever that came from; published to the workers as a
// shared_ptr<const Snapshot> and dropped when the last of them has moved on. Any number of threads
// may read it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/codec/command_table.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/config/pool_config.h"
#include "proxy/hashing/hash_tag.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"

namespace weir {

// One pool, with what is derived from its configuration.
struct PoolSnapshot {
  PoolConfig config;
  // The pool's protocol, `commands:` included.
  std::shared_ptr<const CommandTable> commands;
  KeyHashFunction key_hash = nullptr;
  // With every shard live. Health publishes others as shards leave and return.
  std::shared_ptr<const Ring> ring;

  size_t shard_count() const { return config.servers.size(); }
  // What connections to its shards speak. Made anew from the configuration: not for the data path.
  ShardLogin login() const {
    return {.protocol = Protocol::kRedis, .auth = config.redis_auth, .db = config.redis_db};
  }
};

using PoolSnapshotPtr = std::shared_ptr<const PoolSnapshot>;

struct Snapshot {
  uint64_t generation = 0;  // rises by one with each snapshot of this process
  std::vector<PoolSnapshotPtr> pools;

  // Null when there is no such pool.
  const PoolSnapshot* FindPool(std::string_view name) const;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace weir
