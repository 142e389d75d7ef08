// One pool of a configuration file → PoolConfig. Part of the loader.
#pragma once

#include "proxy/config/config_errors.h"
#include "proxy/config/pool_config.h"
#include "proxy/config/yaml_tree.h"

namespace weir {

struct PoolFromFile {
  PoolConfig pool;
  int line = 1;         // of the pool's name
  int listen_line = 0;  // of `listen:`; 0 when it is missing or bad
};

// Reads the entry `name: {keys}` of the file's map. What is wrong goes to `errors`; the result is
// then filled as far as possible and only good for further checks. Pure.
PoolFromFile ReadPool(const YamlEntry& entry, ConfigErrors& errors);

}  // namespace weir
