#include "proxy/config/snapshot_builder.h"

#include <algorithm>
#include <map>
#include <string_view>
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

// Whether two pools have the same ring: what BuildPoolRing reads is equal.
bool SameRing(const PoolConfig& a, const PoolConfig& b) {
  return a.distribution == b.distribution &&
         std::ranges::equal(a.servers, b.servers, [](const ShardConfig& x, const ShardConfig& y) {
           return x.ring_name == y.ring_name && x.weight == y.weight;
         });
}

// `before`: the pool of this name so far, which lends what did not change; null for none.
absl::StatusOr<PoolSnapshotPtr> BuildPool(const PoolConfig& config, const PoolSnapshot* before) {
  if (absl::Status status = CheckProtocol(config); !status.ok()) {
    return InvalidArgument(config.place.text, "pool '", config.name,
                           "', key 'redis': ", FromAbsl(status.message()));
  }
  auto pool = std::make_shared<PoolSnapshot>();
  pool->config = config;
  if (before != nullptr && before->config.commands == config.commands) {
    pool->commands = before->commands;
  } else {
    absl::StatusOr<std::shared_ptr<const CommandTable>> commands = BuildCommands(config);
    if (!commands.ok()) return commands.status();
    pool->commands = *std::move(commands);
  }
  pool->key_hash = GetKeyHashFunction(config.hash, config.hash_char);
  const bool same_ring = before != nullptr && SameRing(before->config, config);
  pool->ring = same_ring ? before->ring
                         : BuildPoolRing(config, std::vector<bool>(config.servers.size(), true));
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
  std::map<std::string_view, const PoolSnapshotPtr*> known;
  for (size_t i = 0; previous != nullptr && i < previous->pools.size(); ++i) {
    known.emplace(previous->pools[i]->config.name, &previous->pools[i]);
  }
  snapshot->generation = previous == nullptr ? 1 : previous->generation + 1;
  for (const PoolConfig& pool : config.pools) {
    PoolSnapshotPtr built;
    const PoolSnapshot* before = nullptr;
    if (const auto found = known.find(pool.name); found != known.end()) {
      before = found->second->get();
      if (before->config == pool) built = *found->second;
    }
    if (built == nullptr) {
      absl::StatusOr<PoolSnapshotPtr> made = BuildPool(pool, before);
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
