// YAML ⇄ weir.v1.PoolSpec: the control plane's pool files, `weirctl create/apply/export`, and the
// import of twemproxy's files. Only keys that are written are set, so that a default stays one.
// Pure functions, any thread.
//
// A declared pool is a map with the keys of a twemproxy pool and three things besides:
//   fleet: eu-1                    # PoolSpec.fleet
//   redis_auth_secret: alpha       # in place of redis_auth, which is refused
//   guard: {max_moved_fraction: 0.25, min_shards: 2}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/weir/v1/pool.pb.h"

namespace weir {

// The map under the key `declared` of `text`, a YAML document with no other key. Errors as
// LoadConfig's (config_loader.h), one line for each mistake: "FILE:LINE: pool 'NAME', key …".
absl::StatusOr<v1::PoolSpec> ParseDeclaredPool(std::string_view text, std::string_view file_name,
                                               std::string_view pool_name);

// The document that ParseDeclaredPool reads: "declared:\n" and a line for each key that is set.
// Parsed, it gives `spec` with shards' endpoints and weights normalised. `spec` is one that
// ReadPoolSpec (pool_message.h) accepts.
std::string FormatDeclaredPool(const v1::PoolSpec& spec);

struct NamedPool {
  std::string name;
  v1::PoolSpec spec;
};

// Declared pools under their names, by the order of `text`: what people write for weirctl. At least
// one; names are of weir.v1's form. Errors as ParseDeclaredPool's, of all pools at once.
absl::StatusOr<std::vector<NamedPool>> ParsePools(std::string_view text,
                                                  std::string_view file_name);

// FormatDeclaredPool's lines under `name` in place of "declared", as ParsePools reads them.
std::string FormatPool(std::string_view name, const v1::PoolSpec& spec);

struct ImportedPool {
  std::string name;  // as in the file; perhaps none that weir.v1 allows: ReadPoolSpec tells
  v1::PoolSpec spec;
  // The password that the file has; `spec` names no secret yet. Empty: none.
  std::string redis_auth;
};

// Every pool of a twemproxy file, by the order of LoadConfig. Errors as LoadConfig's; besides,
// texts that are not UTF-8, which no message can carry.
absl::StatusOr<std::vector<ImportedPool>> ImportPools(std::string_view text,
                                                      std::string_view file_name);

}  // namespace weir
