// What upstream connections, probes and sessions carry of the protocol of their pool without
// knowing what it means: that is for the codec and the pool's request handler.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace weir {

enum class Protocol : uint8_t { kRedis };

// Connections to a shard that speak differently are kept apart: a request is answered in the
// variant of its connection.
enum class ConnectionVariant : uint8_t {
  kBase,   // which every shard of the protocol understands; redis: RESP2
  kNewer,  // which a shard may refuse when the connection introduces itself; redis: RESP3
};
inline constexpr std::array kConnectionVariants = {ConnectionVariant::kBase,
                                                   ConnectionVariant::kNewer};

// What every connection to a shard of a pool speaks, and how it introduces itself. A plain value.
struct ShardLogin {
  Protocol protocol = Protocol::kRedis;
  std::string auth = {};  // password; empty: none
  uint32_t db = 0;        // the number of the database on the shard

  friend bool operator==(const ShardLogin&, const ShardLogin&) = default;
};

}  // namespace weir
