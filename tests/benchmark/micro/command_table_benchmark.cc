// What the command table costs per request: finding a command by name, and its keys.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/codec/redis_commands.h"

namespace weir {
namespace {

// One name again and again, hidden from the optimiser.
void BM_FindOne(benchmark::State& state, std::string_view name) {
  const CommandTable& table = RedisCommands();
  for (auto _ : state) {
    benchmark::DoNotOptimize(name);
    benchmark::DoNotOptimize(table.Find(name));
  }
}
BENCHMARK_CAPTURE(BM_FindOne, get, "GET");
BENCHMARK_CAPTURE(BM_FindOne, get_lower_case, "get");
BENCHMARK_CAPTURE(BM_FindOne, set, "SET");
BENCHMARK_CAPTURE(BM_FindOne, mget, "MGET");
BENCHMARK_CAPTURE(BM_FindOne, incrbyfloat, "INCRBYFLOAT");
BENCHMARK_CAPTURE(BM_FindOne, georadiusbymember_ro, "GEORADIUSBYMEMBER_RO");
BENCHMARK_CAPTURE(BM_FindOne, unknown, "NOSUCH");

// Each name in turn, in an order that no predictor knows: branches and caches as with real traffic
// at its most mixed.
void BM_FindMixed(benchmark::State& state) {
  const CommandTable& table = RedisCommands();
  std::vector<std::string_view> names;
  uint32_t random = 1;
  for (int i = 0; i < 4096; ++i) {
    random = random * 1664525 + 1013904223;  // Numerical Recipes' generator
    const std::string_view name = table.specs()[(random >> 8) % table.specs().size()].name;
    names.push_back(name.substr(0, name.find('|')));
  }
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.Find(names[i++ % names.size()]));
}
BENCHMARK(BM_FindMixed);

void BM_FindKeys(benchmark::State& state, std::vector<std::string_view> args) {
  const CommandSpec& spec = *RedisCommands().Find(args[0]);
  KeyPositions keys;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Admit(spec, args));
    benchmark::DoNotOptimize(FindKeys(spec, args, &keys));
  }
}
BENCHMARK_CAPTURE(BM_FindKeys, mget_4, {"MGET", "a", "b", "c", "d"});
BENCHMARK_CAPTURE(BM_FindKeys, eval_2, {"EVAL", "script", "2", "a", "b", "argument"});
BENCHMARK_CAPTURE(BM_FindKeys, xread_2, {"XREAD", "COUNT", "5", "STREAMS", "a", "b", "0", "0"});

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
