// What a plan costs, and the change of a pool that is planned: the part of an admin call that does
// not wait for the disk.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/model/plan.h"
#include "controlplane/model/pool_changes.h"
#include "controlplane/model/resources.h"
#include "controlplane/model/shard_changes.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"

namespace weir {
namespace {

Placement PlacementWith(int64_t shards, Distribution distribution, KeyHash hash) {
  Placement placement;
  placement.hash = hash;
  placement.distribution = distribution;
  for (int64_t i = 0; i < shards; ++i) {
    placement.shards.push_back({.ring_name = StrCat("shard", i), .weight = 1, .live = true});
  }
  std::ranges::sort(placement.shards, SortsBefore, &RingShard::ring_name);
  return placement;
}

// One shard more. Argument: shards before.
void PlanOneMore(benchmark::State& state, Distribution distribution, KeyHash hash) {
  const Placement before = PlacementWith(state.range(0), distribution, hash);
  const Placement after = PlacementWith(state.range(0) + 1, distribution, hash);
  for (auto _ : state) benchmark::DoNotOptimize(PlanMoves(before, after));
}
BENCHMARK_CAPTURE(PlanOneMore, ketama, Distribution::kKetama, KeyHash::kFnv1a_64)
    ->Arg(500)
    ->Arg(1400)
    ->Arg(2000)
    ->Arg(8000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(PlanOneMore, ketama_crc16, Distribution::kKetama, KeyHash::kCrc16)
    ->Arg(500)
    ->Arg(1400)
    ->Arg(2000)
    ->Arg(8000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(PlanOneMore, modula, Distribution::kModula, KeyHash::kFnv1a_64)
    ->Arg(500)
    ->Arg(1400)
    ->Arg(2000)
    ->Arg(8000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(PlanOneMore, modula_crc32, Distribution::kModula, KeyHash::kCrc32)
    ->Arg(500)
    ->Arg(1400)
    ->Arg(2000)
    ->Arg(8000)
    ->Unit(benchmark::kMillisecond);

// Another key hash, or another distribution. Argument: shards.
void PlanOther(benchmark::State& state, Distribution distribution, KeyHash hash) {
  const Placement before = PlacementWith(state.range(0), Distribution::kKetama, KeyHash::kFnv1a_64);
  const Placement after = PlacementWith(state.range(0), distribution, hash);
  for (auto _ : state) benchmark::DoNotOptimize(PlanMoves(before, after));
}
BENCHMARK_CAPTURE(PlanOther, hash, Distribution::kKetama, KeyHash::kMd5)
    ->Arg(500)
    ->Arg(2000)
    ->Arg(8000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(PlanOther, modula, Distribution::kModula, KeyHash::kFnv1a_64)
    ->Arg(500)
    ->Arg(2000)
    ->Arg(8000)
    ->Unit(benchmark::kMillisecond);

v1::PoolSpec SpecWith(int64_t shards) {
  v1::PoolSpec spec;
  spec.mutable_policy()->set_listen("127.0.0.1:22121");
  spec.mutable_policy()->set_redis(true);
  for (int64_t i = 0; i < shards; ++i) {
    v1::ShardSpec& shard = *spec.add_servers();
    shard.set_name(StrCat("shard", i));
    shard.set_endpoint(StrCat("10.0.", i / 250, ".", i % 250, ":6379"));
  }
  return spec;
}

ChangeContext Context() {
  ChangeContext context;
  context.new_uid = "11111111-2222-4333-8444-555555555555";
  context.validate = [](const std::string& name, const v1::PoolSpec& spec) {
    std::vector<FieldViolation> violations;
    for (const FieldError& error : ReadPoolSpec(name, spec).errors) {
      violations.push_back({.field = error.field, .description = error.what});
    }
    return violations;
  };
  return context;
}

v1::PoolRecord RecordWith(int64_t shards) {
  v1::CreatePoolRequest request;
  request.set_name("bench");
  *request.mutable_spec() = SpecWith(shards);
  ChangeResult created = CreatePool(nullptr, request, Context());
  return created.change().record;
}

void CreateOne(benchmark::State& state) {
  v1::CreatePoolRequest request;
  request.set_name("bench");
  *request.mutable_spec() = SpecWith(state.range(0));
  const ChangeContext context = Context();
  for (auto _ : state) benchmark::DoNotOptimize(CreatePool(nullptr, request, context));
}
BENCHMARK(CreateOne)->Arg(500)->Arg(1400)->Arg(2000)->Arg(8000)->Unit(benchmark::kMillisecond);

void AddOneShard(benchmark::State& state) {
  const v1::PoolRecord record = RecordWith(state.range(0));
  v1::AddShardRequest request;
  request.set_pool("bench");
  request.mutable_shard()->set_name("one-more");
  request.mutable_shard()->set_endpoint("10.1.0.1:6379");
  request.mutable_options()->set_force(true);
  const ChangeContext context = Context();
  for (auto _ : state) benchmark::DoNotOptimize(AddShard(&record, request, context));
}
BENCHMARK(AddOneShard)->Arg(500)->Arg(1400)->Arg(2000)->Arg(8000)->Unit(benchmark::kMillisecond);

// What every new address of a shard costs, were the pool told to proxies for each by itself.
void MakeResources(benchmark::State& state) {
  const v1::PoolRecord record = RecordWith(state.range(0));
  ObservedAddresses observed;
  for (const v1::Slot& slot : record.shard_map().slots()) observed[slot.name()] = {slot.endpoint()};
  for (auto _ : state) benchmark::DoNotOptimize(ResourcesOf(record, observed));
}
BENCHMARK(MakeResources)->Arg(500)->Arg(2000)->Arg(8000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
