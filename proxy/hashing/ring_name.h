// The string by which a shard is known to its pool: it is hashed into ketama's points, sorts the
// shards, tells duplicates apart and names the shard in the stats. Weight is never part of it.
//
// Pure functions, callable from any thread. Same as twemproxy 0.5.0 (nc_conf.c conf_add_server).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// `name` when there is one; otherwise `host:port`, or `host` alone when the port is 11211.
// `host` and `port` are as written in the configuration ("[::1]" stays "[::1]", "06379" stays
// "06379"): another spelling is another ring.
std::string RingName(std::string_view name, std::string_view host, std::string_view port);
std::string RingName(std::string_view name, std::string_view host, uint16_t port);

// For a shard on a Unix socket: `name`, or else the path *with a colon behind it* ("/tmp/r.sock:").
std::string UnixRingName(std::string_view name, std::string_view path);

}  // namespace weir
