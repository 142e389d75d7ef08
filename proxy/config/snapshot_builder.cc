#include "proxy/config/snapshot_builder.h"

#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/config/servable.h"

namespace weir {
namespace {

std::shared_ptr<const CommandTable> BuiltInCommands() {
  // The table lives as long as the process: nothing to delete.
  return {&RedisCommands(), [](const CommandTable*) {}};
}

absl::StatusOr<std::shared_ptr<const CommandTable>> BuildCommands(const PoolConfig& config) {
  if (config.commands.empty()) return BuiltInCommands();
  std::vector<ExtraCommand> extras;
  for (const CommandConfig& command : config.commands) {
    extras.push_back(ToExtraCommand(command));
  }
  absl::StatusOr<CommandTable> table = RedisCommands().WithExtra(extras);
  if (!table.ok()) {
    return InvalidArgument(config.place.text, "pool '", config.name,
                           "', key 'commands': ", FromAbsl(table.status().message()));
  }
  return std::make_shared<const CommandTable>(*std::move(table));
}

absl::StatusOr<PoolSnapshotPtr> BuildPool(const PoolConfig& config) {
  if (absl::Status status = CheckProtocol(config); !status.ok()) {
    return InvalidArgument(config.place.text, "pool '", config.name,
                           "', key 'redis': ", FromAbsl(status.message()));
  }
  auto pool = std::make_shared<PoolSnapshot>();
  pool->config = config;
  absl::StatusOr<std::shared_ptr<const CommandTable>> commands = BuildCommands(config);
  if (!commands.ok()) return commands.status();
  pool->commands = *std::move(commands);
  pool->key_hash = GetKeyHashFunction(config.hash, config.hash_char);
  pool->ring = BuildPoolRing(config, std::vector<bool>(config.servers.size(), true));
  return pool;
}

}  // namespace

const PoolSnapshot* Snapshot::FindPool(std::string_view name) const {
  for (const PoolSnapshotPtr& pool : pools) {
    if (pool->config.name == name) return pool.get();
  }
  return nullptr;
}

std::shared_ptr<const Ring> BuildPoolRing(const PoolConfig& config, const std::vector<bool>& live) {
  CHECK_EQ(live.size(), config.servers.size());
  std::vector<RingShard> shards;
  shards.reserve(live.size());
  for (size_t i = 0; i < live.size(); ++i) {
    const ShardConfig& shard = config.servers[i];
    shards.push_back({.ring_name = shard.ring_name, .weight = shard.weight, .live = live[i]});
  }
  return std::make_shared<const Ring>(BuildRing(config.distribution, shards));
}

absl::StatusOr<SnapshotPtr> BuildSnapshot(const Config& config, const Snapshot* previous) {
  auto snapshot = std::make_shared<Snapshot>();
  std::string mistakes;
  snapshot->generation = previous == nullptr ? 1 : previous->generation + 1;
  for (const PoolConfig& pool : config.pools) {
    PoolSnapshotPtr built;
    for (size_t i = 0; previous != nullptr && i < previous->pools.size(); ++i) {
      if (previous->pools[i]->config == pool) built = previous->pools[i];
    }
    if (built == nullptr) {
      absl::StatusOr<PoolSnapshotPtr> made = BuildPool(pool);
      if (!made.ok()) {
        StrAppend(&mistakes, mistakes.empty() ? "" : "\n", FromAbsl(made.status().message()));
        continue;
      }
      built = *std::move(made);
    }
    snapshot->pools.push_back(std::move(built));
  }
  if (!mistakes.empty()) return InvalidArgument(mistakes);
  return snapshot;
}

}  // namespace weir
