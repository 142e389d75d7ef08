// Any bytes as a configuration file: either a configuration that keeps its promises, or errors that
// name the file, one a line.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_loader.h"
#include "proxy/hashing/ring_shard.h"
#include "tests/fuzz/error_lines.h"

namespace weir {
namespace {

void CheckPool(const PoolConfig& pool) {
  CHECK(!pool.name.empty());
  CHECK(ParseEndpoint(FormatEndpoint(pool.listen.endpoint)).ok());
  CHECK_LE(pool.listen.unix_mode.value_or(0), 0777);
  CHECK(!pool.servers.empty());
  for (const ShardConfig& shard : pool.servers) {
    CHECK_GE(shard.weight, 1);
    CHECK(!shard.ring_name.empty());
    CHECK(ParseEndpoint(FormatEndpoint(shard.endpoint)).ok());
  }
  // Strictly ascending: sorted, and no name twice.
  const auto unsorted =
      std::ranges::adjacent_find(pool.servers, [](const ShardConfig& a, const ShardConfig& b) {
        return !SortsBefore(a.ring_name, b.ring_name);
      });
  CHECK(unsorted == pool.servers.end());
  CHECK(pool.redis || (pool.redis_auth.empty() && pool.redis_db == 0 && pool.commands.empty()));
  CHECK_GE(pool.server_connections, 1);
  CHECK_GE(pool.server_failure_limit, 1);
  CHECK_LE(pool.large_request, pool.max_request);
  CHECK_LE(pool.max_ejected_percent, 100);
  CHECK(pool.timeout > absl::ZeroDuration());
  CHECK(pool.shard_silence_limit > absl::ZeroDuration());
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<weir::Config> config = weir::LoadConfig(text, "f.yml");
  if (!config.ok()) {
    weir::CheckErrorLines(weir::FromAbsl(config.status().message()));
    return 0;
  }
  CHECK(!config->pools.empty());
  for (const weir::PoolConfig& pool : config->pools) weir::CheckPool(pool);
  return 0;
}
