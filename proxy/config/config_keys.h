// Every key of a configuration file, with its default: the facts behind docs/configuration.md,
// which a test compares with these tables, and behind "did you mean". The loader has one function
// for each row of kPoolKeys, in the same order.
#pragma once

#include <string_view>

namespace weir {

struct KeySpec {
  std::string_view name;
  std::string_view type;          // what is written: a number, true or false, one of …
  std::string_view default_text;  // as it would be written; "required", or "–" when there is none
  std::string_view unit;          // "–" when there is none
  std::string_view meaning;
  std::string_view difference;  // from twemproxy's key of this name; "new" when it has none
};

// The keys of a pool: twemproxy's in the order of its documentation, then Weir's.
inline constexpr KeySpec kPoolKeys[] = {
    {"listen", "`host:port`, `[ipv6]:port`, `/path`, `/path MODE`", "required", "–",
     "Where clients connect. MODE is the octal permission of the Unix socket.",
     "Host names are not resolved while the file is parsed; brackets are accepted."},
    {"hash",
     "one of `one_at_a_time`, `md5`, `crc16`, `crc32`, `crc32a`, `fnv1_64`, `fnv1a_64`, "
     "`fnv1_32`, `fnv1a_32`, `hsieh`, `murmur`, `jenkins`",
     "fnv1a_64", "–", "The function that hashes keys.", "none"},
    {"hash_tag", "two characters", "–", "–",
     "Only the part of a key between these two is hashed, if there is one.", "none"},
    {"distribution", "one of `ketama`, `modula`, `random`", "ketama", "–",
     "How hashes are spread over the servers.", "none"},
    {"timeout", "number >= 0", "–", "ms",
     "Longest wait for a server's reply, from the moment the request is complete and queued. "
     "Unset or 0: no limit.",
     "Fails the late request alone; the connection and its other requests live on."},
    {"backlog", "number >= 0", "512", "connections", "Second argument of listen(2).", "none"},
    {"client_connections", "number >= 0", "0", "connections",
     "Most client connections of the pool at a time. 0: no limit.",
     "Works; twemproxy parses and ignores it."},
    {"tcpkeepalive", "`true` or `false`", "false", "–", "SO_KEEPALIVE on clients' connections.",
     "none"},
    {"reuseport", "`true` or `false`", "false", "–", "SO_REUSEPORT on the listening socket.",
     "Only in twemproxy after 0.5.0."},
    {"preconnect", "`true` or `false`", "false", "–",
     "Connect to every server at start and after a reload instead of at the first request; to an "
     "ejected one when it is back.",
     "none"},
    {"redis", "`true` or `false`", "false", "–",
     "The protocol: `true` for redis, `false` for memcached.", "none"},
    {"redis_auth", "text", "–", "–",
     "Password that clients must give and that servers are given. Redis pools only.", "none"},
    {"redis_db", "number >= 0", "0", "–",
     "Database selected on every server connection. Redis pools only.",
     "Works together with `redis_auth`; twemproxy then uses database 0. Above 0 an error without "
     "`redis: true`; twemproxy ignores it."},
    {"server_connections", "number >= 1", "1", "connections",
     "Shared connections to each server, for each worker.",
     "Per worker (`--threads`), not per process; large requests lease further ones."},
    {"auto_eject_hosts", "`true` or `false`", "false", "–",
     "Whether a failing server is ejected for a while.",
     "Fewer things count as failures; the last live server is never ejected."},
    {"server_retry_timeout", "number >= 0", "30000", "ms",
     "How long an ejected server is left alone before it is tried again.",
     "It is tried with a probe of its own and returns only once that succeeded."},
    {"server_failure_limit", "number >= 0", "2", "failures",
     "Failures in a row that eject a server. 0 counts as 1.", "none"},
    {"servers", "list of `host:port:weight [name]`, `/path:weight [name]`", "required", "–",
     "The servers, each with its weight on the ring, and the name by which the ring knows it.",
     "IPv6 addresses may have brackets."},
    {"hash_char", "one of `signed`, `unsigned`", "signed", "–",
     "How key hashes read bytes from 0x80 on: as twemproxy on x86 (signed) or on arm64 "
     "(unsigned).",
     "new"},
    {"large_request", "number >= 1024", "262144", "bytes",
     "A larger request goes over a connection leased to its client alone, where possible while it "
     "arrives; one that is split over servers has a lease for each part that is larger. A client "
     "is not read on while its requests without a reply are more than 4 times this.",
     "new"},
    {"max_request", "number >= 1024", "67108864", "bytes",
     "Largest request of a kind that must be gathered whole, such as MSET, and largest "
     "transaction. At least "
     "`large_request`.",
     "new"},
    {"session_output_limit", "number >= 65536", "33554432", "bytes",
     "Most unsent replies of one client, what waits to be merged included. Beyond it the largest "
     "reply that is split over servers and not merged yet becomes an error; with none left, the "
     "client's connection is closed. Beyond half of it the client's requests wait until it has "
     "read; as many bytes of them are kept, then the client is not read on.",
     "new"},
    {"pool_output_limit", "0, or number >= 65536", "0", "bytes",
     "Unsent replies of all clients of the pool together, beyond which the connections of those "
     "with most are closed. 0: no limit but `--memory-limit`.",
     "new"},
    {"max_leases", "number >= 1", "64", "connections",
     "Most leased connections to each server, for each worker. Connections are set aside while a "
     "large reply comes only as long as they and the leased ones are fewer.",
     "new"},
    {"shard_silence_limit", "number >= 1", "max(2 x timeout, 1000); 30000 without timeout", "ms",
     "A server that owes replies, sends nothing and takes nothing that waits for it for this long "
     "is "
     "given up: what it owes fails and the connection is closed.",
     "new"},
    {"progress_limit", "number >= 1", "30000", "ms",
     "Longest pause in a half-received request or a half-sent reply.", "new"},
    {"max_ejected_percent", "number from 0 to 100", "100", "%",
     "Largest share of the servers that may be ejected at a time.", "new"},
    {"missing_shard", "one of `rehash`, `fail_fast`", "rehash; fail_fast without auto_eject_hosts",
     "–",
     "What becomes of an ejected server's keys: `rehash` gives them to the others, `fail_fast` "
     "answers an error. `rehash` needs `auto_eject_hosts: true`.",
     "new"},
    {"partial_mget", "one of `error`, `elements`", "error", "–",
     "What MGET answers when a server fails: one error, or an error in place of each value "
     "concerned. Redis pools only.",
     "new"},
    {"allow_flush", "`true` or `false`", "false", "–",
     "Whether FLUSHALL and FLUSHDB are sent to every server; otherwise they are refused.", "new"},
    {"commands", "list of maps, see below", "–", "–",
     "Commands that Weir does not know, such as those of modules. Redis pools only.", "new"},
    {"resolve_interval", "number >= 0", "30000", "ms",
     "How often host names are resolved again, besides at reconnects. 0: only then.", "new"},
};

// The keys of an item of `commands:`.
inline constexpr KeySpec kCommandKeys[] = {
    {"name", "text", "required", "–", "The command, in upper or lower case.", "new"},
    {"first_key", "number >= 0", "1", "arguments",
     "Index of the first key, the name being 0. 0: the command has no keys.", "new"},
    {"last_key", "number", "first_key", "arguments",
     "Index of the last key. Negative counts from the end: -1 is the last argument.", "new"},
    {"step", "number >= 1", "1", "arguments", "Distance from one key to the next.", "new"},
};

}  // namespace weir
