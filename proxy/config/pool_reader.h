// One pool → PoolConfig: the reader behind files (config_loader.h), messages (pool_message.h) and
// the control plane's files (pool_yaml.h), which all arrive as a tree.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/config/config_errors.h"
#include "proxy/config/pool_config.h"
#include "proxy/config/yaml_tree.h"

namespace weir {

// Where a pool was written. All know the same keys, but for two things; and only a file may have
// texts that are no UTF-8, as twemproxy's do: a message with one would be lost as a whole.
enum class PoolOrigin : uint8_t {
  kFile,      // twemproxy's: `redis_auth` holds the password, servers are texts
  kDeclared,  // the control plane's: `redis_auth_secret` names it, servers are texts
  kMessage,   // weir.v1: `redis_auth_secret` names it, servers are maps (shard_item.h)
};

struct PoolFromFile {
  PoolConfig pool;
  int line = 1;         // of the pool's name
  int listen_line = 0;  // of `listen:`; 0 when it is missing or bad
};

// Reads the entry `name: {keys}` of the file's map. What is wrong goes to `errors`; the result is
// then filled as far as possible and only good for further checks. Pure.
PoolFromFile ReadPool(const YamlEntry& entry, PoolOrigin origin, ConfigErrors& errors);

// Adds a mistake for each key and value of `node`, the map of keys of `pool`, that is not UTF-8;
// `redis_auth` may be any bytes.
void CheckUtf8(const YamlNode& node, std::string_view pool, ConfigErrors& errors);

}  // namespace weir
