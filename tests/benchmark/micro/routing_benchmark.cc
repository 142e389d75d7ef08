// What it costs to find the shard of a key: hash tag, key hash and ring together, as a worker does
// it for each GET.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/routing/shard_selector.h"

namespace weir {
namespace {

constexpr size_t kKeys = 4096;

PoolSnapshotPtr MakePool(int64_t shards, bool hash_tag) {
  Config config;
  PoolConfig& pool = config.pools.emplace_back();
  pool.name = "bench";
  pool.redis = true;
  pool.hash_tag = {.open = '{', .close = '}', .enabled = hash_tag};
  for (int64_t i = 0; i < shards; ++i) {
    const std::string name = StrCat("shard", i);
    pool.servers.push_back({.name = name, .endpoint = {}, .weight = 1, .ring_name = name});
  }
  return (*BuildSnapshot(config, nullptr))->pools[0];
}

// Argument: shards of equal weight. Keys vary at both ends, so that each is another place.
void SelectShard(benchmark::State& state, bool hash_tag, const char* prefix) {
  ShardSelector selector(MakePool(state.range(0), hash_tag), 1);
  std::vector<std::string> keys;
  for (uint32_t i = 0; i < kKeys; ++i) keys.push_back(StrCat(i * 2654435761u, prefix, i));
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(selector.Select(keys[next]));
    next = (next + 1) % kKeys;
  }
}

BENCHMARK_CAPTURE(SelectShard, plain, false, ":user:")->Arg(1)->Arg(4)->Arg(40)->Arg(400);
BENCHMARK_CAPTURE(SelectShard, tag_unused, true, ":user:")->Arg(4);
BENCHMARK_CAPTURE(SelectShard, tag_used, true, ":{user}:")->Arg(4);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
