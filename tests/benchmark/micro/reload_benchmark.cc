// What a reload costs for each worker and the health owner when a pool of many shards gets one
// more, in front of all others.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "proxy/health/health_tracker.h"
#include "proxy/stats/stats_table.h"

namespace weir {
namespace {

// shard1, shard2, ...; with another one before them.
std::vector<std::string> Names(int64_t shards, bool one_more) {
  std::vector<std::string> names;
  if (one_more) names.emplace_back("another");
  for (int64_t i = 1; i <= shards; ++i) names.push_back(StrCat("shard", i));
  return names;
}

void UpdateHealth(benchmark::State& state) {
  const HealthTracker before({}, Names(state.range(0), false));
  const std::vector<std::string> after = Names(state.range(0), true);
  for (auto _ : state) {
    HealthTracker tracker = before;
    benchmark::DoNotOptimize(tracker.Update({}, after, Moment()));
  }
}
BENCHMARK(UpdateHealth)->Arg(500)->Arg(2000)->Arg(8000)->Unit(benchmark::kMillisecond);

void NextStats(benchmark::State& state) {
  const auto layout = [&](bool one_more) {
    auto made = std::make_shared<StatsLayout>();
    made->pools.push_back({.name = "pool", .shards = Names(state.range(0), one_more)});
    return made;
  };
  const StatsTable before(layout(false));
  const std::shared_ptr<const StatsLayout> after = layout(true);
  for (auto _ : state) benchmark::DoNotOptimize(std::make_unique<StatsTable>(after, &before));
}
BENCHMARK(NextStats)->Arg(500)->Arg(2000)->Arg(8000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
