// What a configuration says, as plain values: twemproxy's keys under twemproxy's names, then
// Weir's.
//
// Built by LoadConfig (config_loader.h), which has checked every value, or by a test by hand; read
// by the snapshot builder. Nothing here is resolved, opened or shared. The initialisers are the
// defaults of twemproxy; kPoolKeys (config_keys.h) holds the same defaults as text, and
// docs/configuration.md is compared with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/base/endpoint.h"
#include "proxy/hashing/hash_tag.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"

namespace weir {

// One item of `servers:`, `host:port:weight [name]` or `/path:weight [name]`.
struct ShardConfig {
  // What logs, statistics and error texts call the shard. The same text as ring_name.
  std::string name;
  // Where it is served. The host is not resolved.
  Endpoint endpoint;
  // Its part of the ring, >= 1.
  uint32_t weight = 1;
  // What the ring hashes, see hashing/ring_name.h: the name if one is given, else `host:port` or
  // the like, as written. Unique in its pool.
  std::string ring_name;
  // Further places of the same shard, tried in turn after `endpoint`: literal addresses, which only
  // the control plane gives.
  std::vector<Endpoint> more_endpoints = {};

  // Nowhere: the control plane knows no address of the shard. Its requests fail.
  bool HasNoPlace() const { return endpoint.host.empty() && endpoint.path.empty(); }
  bool SamePlaceAs(const ShardConfig& other) const {
    return endpoint == other.endpoint && more_endpoints == other.more_endpoints;
  }

  friend bool operator==(const ShardConfig&, const ShardConfig&) = default;
};

// `listen:`, `host:port` or `/path [octal mode]`.
struct ListenConfig {
  Endpoint endpoint;
  // Permissions given to a Unix socket after bind. Unset: what the umask leaves. At most 0777.
  std::optional<uint32_t> unix_mode;

  friend bool operator==(const ListenConfig&, const ListenConfig&) = default;
};

// One item of `commands:`: a command that Weir's own table does not know, such as a module's.
struct CommandConfig {
  std::string name;        // lower case, e.g. "json.get"
  uint32_t first_key = 1;  // index of the first key, the command's name being 0; 0: it has no keys
  int32_t last_key = 1;    // index of the last key; negative counts from the end, -1 being the end
  uint32_t step = 1;       // distance between keys, >= 1

  friend bool operator==(const CommandConfig&, const CommandConfig&) = default;
};

// What to do with the keys of an ejected shard.
enum class MissingShard : uint8_t {
  kRehash,    // the ring is rebuilt without it: its keys go to other shards
  kFailFast,  // its keys get an error at once
};

// What MGET answers when one of its shards fails.
enum class PartialMget : uint8_t {
  kError,     // one error for the request
  kElements,  // an error in place of each value that is missing
};

// Where a pool was said, for what is found to be wrong with it later: "FILE:LINE: ", or nothing
// when it came from no file. No part of a pool's value: moving a pool in its file changes nothing.
struct ConfigPlace {
  std::string text;

  friend bool operator==(const ConfigPlace&, const ConfigPlace&) { return true; }
};

struct PoolConfig {
  // The pool's key in the file. Unique.
  std::string name;
  ConfigPlace place;
  ConfigPlace listen_place;  // of the key `listen`

  // --- twemproxy's keys ---

  ListenConfig listen;                                // required; unique
  KeyHash hash = KeyHash::kFnv1a_64;                  // fnv1a_64
  HashTag hash_tag = {};                              // not enabled
  Distribution distribution = Distribution::kKetama;  // ketama
  // Longest wait for a shard's reply. Milliseconds in the file; unset or 0: InfiniteDuration.
  absl::Duration timeout = absl::InfiniteDuration();
  uint32_t backlog = 512;           // listen(2)'s second argument
  uint32_t client_connections = 0;  // most sessions of this pool at a time; 0: no limit
  bool tcpkeepalive = false;        // SO_KEEPALIVE on clients' sockets
  bool reuseport = false;           // SO_REUSEPORT on the listening socket
  bool preconnect = false;          // connect to every shard at start, not at the first request
  bool redis = false;               // true: redis, false: memcached
  std::string redis_auth;           // password towards clients and shards; empty: none
  uint32_t redis_db = 0;            // database SELECTed on every upstream connection
  uint32_t server_connections = 1;  // shared connections per shard and worker, >= 1
  bool auto_eject_hosts = false;    // whether a failing shard is ejected
  // How long an ejected shard is left alone before it is probed. Milliseconds in the file.
  absl::Duration server_retry_timeout = absl::Milliseconds(30000);
  uint32_t server_failure_limit = 2;  // consecutive failures that eject; 0 in the file is 1 here
  // At least one, sorted as twemproxy sorts before it numbers them: by the length of ring_name,
  // then by its bytes (SortsBefore). Shard ids and modula's table follow this order.
  std::vector<ShardConfig> servers;

  // --- Weir's keys ---

  CharSign hash_char =
      CharSign::kSigned;  // bytes >= 0x80 in key hashes: signed is twemproxy on x86
  // Largest request, in bytes, that travels on a shared connection; a larger one uses a lease.
  uint64_t large_request = 256 * 1024;
  // Largest request, in bytes, of a kind that must be gathered whole before it can be sent.
  uint64_t max_request = 64 * 1024 * 1024;
  // Most unsent reply bytes of one session before it is closed.
  uint64_t session_output_limit = 32 * 1024 * 1024;
  // The same of all sessions of the pool, beyond which the largest are closed; 0: none.
  uint64_t pool_output_limit = 0;
  uint32_t max_leases = 64;  // leased connections per shard and worker, >= 1
  // A shard with replies pending and no byte for this long is silent. Milliseconds in the file;
  // default max(2 x timeout, 1 s), 30 s where timeout is unset. LoadConfig fills it in.
  absl::Duration shard_silence_limit = absl::Milliseconds(30000);
  // Longest pause in a half-received request or half-sent reply. Milliseconds in the file.
  absl::Duration progress_limit = absl::Milliseconds(30000);
  uint32_t max_ejected_percent = 100;  // share of shards ejected at a time; the last one never is
  // Counts only with auto_eject_hosts; without, LoadConfig makes it kFailFast.
  MissingShard missing_shard = MissingShard::kRehash;
  PartialMget partial_mget = PartialMget::kError;  // error
  bool allow_flush = false;                        // whether FLUSHALL and FLUSHDB reach every shard
  std::vector<CommandConfig> commands;             // in the file's order; names unique
  // How often host names are resolved again, besides at reconnects. 0: only then.
  absl::Duration resolve_interval = absl::Milliseconds(30000);

  friend bool operator==(const PoolConfig&, const PoolConfig&) = default;
};

// A whole file. Pools are sorted like shards: by the length of the name, then by its bytes.
struct Config {
  std::vector<PoolConfig> pools;
  // What is right, but other than with twemproxy, one line each as the loader's errors:
  //   FILE:LINE: warning: pool 'alpha', key 'client_connections': ...
  std::vector<std::string> warnings = {};

  friend bool operator==(const Config&, const Config&) = default;
};

// The default of shard_silence_limit for a pool with this timeout.
absl::Duration DefaultShardSilenceLimit(absl::Duration timeout);

}  // namespace weir
