// ShardConnections: the connections of one worker to one shard, as it was configured at one time.
//
// Part of PoolConnections, which decides what becomes of them, and once a reload has ended that
// state of the shard part of Handovers. Used on the worker's thread. How it ends: destroyed by its
// owner; what is left on the connections fails.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "proxy/base/socket_address.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/config/pool_config.h"
#include "proxy/stats/pool_stats.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

// Which of a shard's shared connections a session uses, as long as it lives.
struct ConnectionSlot {
  uint32_t index = 0;
};

using Connections = std::vector<std::unique_ptr<UpstreamConnection>>;
using ConnectionChoice = absl::FunctionRef<bool(const UpstreamConnection&)>;

// The shared connection of a slot, and those before it that were set aside and are still to answer.
// What is closed leaves its place empty.
struct Way {
  std::unique_ptr<UpstreamConnection> shared;
  Connections set_aside;
};

struct ShardConnections {
  // As it was when it was configured last.
  ShardConfig config;
  // Used by the connections below, which end before them.
  std::shared_ptr<ShardStats> stats;
  ConnectionSettings settings;
  std::vector<ResolvedAddress> addresses;
  // By variant, then by slot.
  std::array<std::vector<Way>, kConnectionVariants.size()> ways;
  size_t set_aside_count = 0;  // on all ways
  Connections leased;
  Connections idle;  // connected, and free for either use

  std::vector<Way>& WaysOf(ConnectionVariant variant) { return ways[static_cast<size_t>(variant)]; }
  const std::vector<Way>& WaysOf(ConnectionVariant variant) const {
    return ways[static_cast<size_t>(variant)];
  }
  // Null when no session of the slot has asked the shard yet.
  Way* FindWay(ConnectionSlot slot, ConnectionVariant variant) {
    std::vector<Way>& all = WaysOf(variant);
    return slot.index < all.size() ? &all[slot.index] : nullptr;
  }
  // Of a shared connection, also one that was set aside; none when it is neither here.
  std::optional<ConnectionSlot> SlotOf(const UpstreamConnection& connection) const;

  // For all of them. A fragment that fails may let its session give a lease back, which lives to
  // the end of the turn.
  template <typename Function>
  void ForEach(const Function& function) const {
    std::vector<UpstreamConnection*> connections;
    const auto add = [&](const auto& connection) {
      if (connection != nullptr) connections.push_back(connection.get());
    };
    for (const std::vector<Way>& all : ways) {
      for (const Way& way : all) {
        std::ranges::for_each(way.set_aside, add);
        add(way.shared);
      }
    }
    std::ranges::for_each(leased, add);
    std::ranges::for_each(idle, add);
    for (UpstreamConnection* connection : connections) function(*connection);
  }
};

}  // namespace weir
