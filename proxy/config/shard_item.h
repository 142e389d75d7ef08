// A shard as messages have it, `{name, endpoint, weight}`, and the names that weir.v1 allows. Part
// of the readers. Pure functions, any thread.
#pragma once

#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "proxy/config/pool_config.h"
#include "proxy/config/yaml_tree.h"

namespace weir {

inline constexpr std::string_view kShardNameForm =
    "a shard's name, of 1 to 255 bytes without spaces";
inline constexpr std::string_view kResourceNameForm =
    "1 to 63 of a-z, 0-9, '-', '_', '.', beginning and ending with a letter or digit";
inline constexpr std::string_view kSecretNameForm =
    "a secret's name, 1 to 253 of a-z, A-Z, 0-9, '-', '_', '.', beginning with a letter or digit";

bool IsShardName(std::string_view text);
// Of a pool or a fleet.
bool IsResourceName(std::string_view text);
// The password's file has this name: it never leads out of the secrets' directory.
bool IsSecretName(std::string_view text);

// The shard in the map `item`; nothing, after a call of `expected` for each value that is wrong.
// A missing weight is 1; a missing endpoint stays empty (`host` and `path` are).
std::optional<ShardConfig> ReadShardItem(
    const YamlNode& item,
    absl::FunctionRef<void(const YamlNode& value, std::string_view expected)> expected);

}  // namespace weir
