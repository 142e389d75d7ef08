// What placing one key costs: the key hashes, and the ring lookup behind them.
// Run: bazel run --config=opt //tests/benchmark/micro:hashing_benchmark
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"

namespace weir {
namespace {

std::vector<RingShard> Shards(int64_t count) {
  std::vector<RingShard> shards;
  for (int64_t i = 0; i < count; ++i) {
    shards.push_back({.ring_name = StrCat("10.0.0.", i, ":6379")});
  }
  std::ranges::sort(shards, SortsBefore, &RingShard::ring_name);
  return shards;
}

std::vector<uint32_t> RandomHashes() {
  constexpr size_t kHashes = 4096;
  std::mt19937 random(1);
  std::vector<uint32_t> hashes(kHashes);
  std::ranges::generate(hashes, [&] { return static_cast<uint32_t>(random()); });
  return hashes;
}

// Argument: bytes of the key.
void HashOneKey(benchmark::State& state, KeyHashFunction hash) {
  std::string key(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(key.data());
    benchmark::DoNotOptimize(hash(key));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// Arguments of the following: shards of equal weight. Every hash is a different place on the ring,
// so for large rings this includes the cache misses of a real load.
void SelectShard(benchmark::State& state, Distribution distribution) {
  Ring ring = BuildRing(distribution, Shards(state.range(0)));
  std::vector<uint32_t> hashes = RandomHashes();
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.Select(hashes[next]));
    next = (next + 1) % hashes.size();
  }
}

// The usual way, for comparison: a binary search over the same points.
void SearchShard(benchmark::State& state) {
  Ring ring = BuildRing(Distribution::kKetama, Shards(state.range(0)));
  std::vector<uint32_t> hashes = RandomHashes();
  size_t next = 0;
  for (auto _ : state) {
    auto point = std::ranges::lower_bound(ring.points(), hashes[next], {}, &RingPoint::value);
    if (point == ring.points().end()) point = ring.points().begin();
    benchmark::DoNotOptimize(point->shard);
    next = (next + 1) % hashes.size();
  }
}

void BuildKetama(benchmark::State& state) {
  std::vector<RingShard> shards = Shards(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(BuildRing(Distribution::kKetama, shards));
}

void Register() {
  for (std::string_view name : KeyHashNames()) {
    KeyHashFunction hash = GetKeyHashFunction(ParseKeyHash(name).value());
    benchmark::RegisterBenchmark(StrCat("Hash/", name).c_str(), HashOneKey, hash)
        ->Arg(8)
        ->Arg(24)
        ->Arg(200);
  }
  for (std::string_view name : DistributionNames()) {
    Distribution distribution = ParseDistribution(name).value();
    benchmark::RegisterBenchmark(StrCat("Select/", name).c_str(), SelectShard, distribution)
        ->Arg(4)
        ->Arg(25)
        ->Arg(100)
        ->Arg(400);
  }
  benchmark::RegisterBenchmark("BinarySearch/ketama", SearchShard)
      ->Arg(4)
      ->Arg(25)
      ->Arg(100)
      ->Arg(400);
  benchmark::RegisterBenchmark("Build/ketama", BuildKetama)->Arg(4)->Arg(25)->Arg(100)->Arg(400);
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  weir::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
