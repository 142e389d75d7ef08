// The pools and keys of the placement test: what is asked of a proxy, and what our own code says of
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/hashing/hash_tag.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"
#include "tests/support/fake_shards.h"

namespace weir {

// A pool in front of the first `shards.size()` fake shards.
struct PlacementPool {
  std::string name;  // says all that is special about it, for messages
  std::string listen;
  KeyHash hash = kDefaultKeyHash;
  Distribution distribution = Distribution::kKetama;
  std::string hash_tag;  // empty, or its two characters

  // In the order of the configuration; `shards[i]` is fake shard i.
  struct Shard {
    std::string address;
    uint32_t weight = 1;
    std::string name;
  };
  std::vector<Shard> shards;
};

// For this hash: ketama and modula × 1, 2, 5, 25, 30 shards × plain, weights, names, weights and
// names, Unix sockets. Listens on Unix sockets in `directory`. `seed` decides weights and names.
std::vector<PlacementPool> MakePools(KeyHash hash, const FakeShards& tcp_shards,
                                     const FakeShards& unix_shards, const std::string& directory,
                                     uint32_t seed);

// The pools as a twemproxy configuration that ejects at the first failure, for as good as ever.
std::string MakeConfiguration(const std::vector<PlacementPool>& pools);

// `count` different keys: short and long ones (up to 4 KiB), words, numbers, any bytes, hash tags,
// the empty key.
std::vector<std::string> MakeKeys(size_t count, uint32_t seed);

// Where our own code would send the keys of a pool.
class Placement {
 public:
  static constexpr size_t kNoShard = ~size_t{0};

  // With fake shard `ejected` not live, if given.
  explicit Placement(const PlacementPool& pool, size_t ejected = kNoShard);

  // The fake shard that gets this key.
  size_t ShardOf(std::string_view key) const;

 private:
  HashTag tag_;
  KeyHashFunction hash_;
  std::vector<size_t> fake_shards_;  // by index on the ring
  Ring ring_;
};

}  // namespace weir
