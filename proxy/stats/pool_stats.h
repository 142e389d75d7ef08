// Everything that is counted, declared once: the cells, their names, units and meanings.
//
// The structs are what the writers touch; the tables below them are what the readers walk
// (twemproxy's JSON, the metrics). twemproxy's own fields come first, in twemproxy's order and
// spelling: that part is an API of its monitoring scripts. Each cell has one writer thread (see
// counter.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/stats/counter.h"
#include "proxy/stats/histogram.h"

namespace weir {

// One writer's share of what concerns the whole process. As in twemproxy every socket is a
// connection: listeners, sessions and shard connections.
struct alignas(64) ProcessStats {
  Counter total_connections;
  Gauge curr_connections;

  void CountOpened() {
    total_connections.Add();
    curr_connections.Add();
  }
  void CountClosed() { curr_connections.Subtract(); }
};

// One writer's share of one pool.
struct alignas(64) PoolStats {
  // twemproxy's.
  Counter client_eof;
  Counter client_err;
  Gauge client_connections;
  Counter server_ejects;  // written by the health owner's table alone
  Counter forward_error;
  Counter fragments;

  // Weir's own.
  Counter sessions_total;
  Counter sessions_refused;
  Counter requests;
  Counter request_bytes;
  Counter replies;
  Counter reply_bytes;
  Counter local_replies;
  Counter refused_requests;
  Counter protocol_errors;
  Counter timeouts_queued;
  Counter timeouts_pending;
  Counter late_replies_discarded;
  Gauge late_replies_awaited;
  Counter unavailable;
  Counter pushes_dropped;
  Counter window_grown;
  Counter window_shrunk;
  Counter leases_total;
  Gauge leases;
  Counter set_aside_total;
  Gauge set_aside;
  Counter closed_by_output_limit;
  Counter closed_by_pool_output_limit;
  Counter closed_by_memory_limit;
  Counter closed_by_progress_limit;
  Counter server_restores;  // the health owner's, as are the probes
  Counter probes;
  Counter probes_failed;

  Histogram request_microseconds;  // request complete -> its whole reply among the session's output
};

// One writer's share of one shard of a pool.
struct alignas(64) ShardStats {
  Counter server_eof;
  Counter server_err;
  Counter server_timedout;
  Gauge server_connections;
  Timestamp server_ejected_at;  // written by the health owner's table alone
  Counter requests;
  Counter request_bytes;
  Counter responses;
  Counter response_bytes;
  Gauge in_queue;
  Gauge in_queue_bytes;
  Gauge out_queue;
  Gauge out_queue_bytes;
};

// One row: how a cell is called, what it means, and how it is read.
template <typename Stats>
struct StatField {
  std::string_view name;
  std::string_view unit;  // "" when it counts the things that its name says
  std::string_view help;
  StatKind kind;
  uint64_t (*read)(const Stats&);  // a gauge's as two's complement
};

namespace stats_internal {
template <typename Stats, typename Cell>
constexpr StatKind KindOf(Cell Stats::*) {
  return Cell::kKind;
}
}  // namespace stats_internal

template <typename Stats, auto kCell>
constexpr StatField<Stats> MakeStatField(std::string_view name, std::string_view unit,
                                         std::string_view help) {
  return {name, unit, help, stats_internal::KindOf(kCell),
          [](const Stats& stats) { return static_cast<uint64_t>((stats.*kCell).Get()); }};
}

#define WEIR_STAT(Stats, cell, unit, help) MakeStatField<Stats, &Stats::cell>(#cell, unit, help)

inline constexpr StatField<ProcessStats> kProcessStatFields[] = {
    WEIR_STAT(ProcessStats, total_connections, "", "sockets opened or accepted since the start"),
    WEIR_STAT(ProcessStats, curr_connections, "", "sockets open now"),
};

inline constexpr size_t kTwemproxyPoolFields = 6;  // the first so many
inline constexpr StatField<PoolStats> kPoolStatFields[] = {
    WEIR_STAT(PoolStats, client_eof, "", "sessions that the client ended"),
    WEIR_STAT(PoolStats, client_err, "", "sessions that ended with a socket error"),
    WEIR_STAT(PoolStats, client_connections, "", "sessions open now"),
    WEIR_STAT(PoolStats, server_ejects, "", "shards ejected"),
    WEIR_STAT(PoolStats, forward_error, "", "requests answered with an error of forwarding"),
    WEIR_STAT(PoolStats, fragments, "", "fragments made from split requests"),
    WEIR_STAT(PoolStats, sessions_total, "", "sessions accepted"),
    WEIR_STAT(PoolStats, sessions_refused, "", "connections closed at once by a limit"),
    WEIR_STAT(PoolStats, requests, "", "requests read from clients"),
    WEIR_STAT(PoolStats, request_bytes, "bytes", "bytes read from clients"),
    WEIR_STAT(PoolStats, replies, "", "replies written to clients"),
    WEIR_STAT(PoolStats, reply_bytes, "bytes", "bytes written to clients"),
    WEIR_STAT(PoolStats, local_replies, "", "requests that the proxy answered itself"),
    WEIR_STAT(PoolStats, refused_requests, "", "requests refused with a reason"),
    WEIR_STAT(PoolStats, protocol_errors, "", "sessions closed for not speaking the protocol"),
    WEIR_STAT(PoolStats, timeouts_queued, "", "requests expired before they were written"),
    WEIR_STAT(PoolStats, timeouts_pending, "", "requests expired after they were written"),
    WEIR_STAT(PoolStats, late_replies_discarded, "", "replies that came after their deadline"),
    WEIR_STAT(PoolStats, late_replies_awaited, "", "requests expired that wait for a shard now"),
    WEIR_STAT(PoolStats, unavailable, "", "requests failed at once: shard down or queue full"),
    WEIR_STAT(PoolStats, pushes_dropped, "", "RESP3 push frames from shards, dropped"),
    WEIR_STAT(PoolStats, window_grown, "", "times a session's window was doubled"),
    WEIR_STAT(PoolStats, window_shrunk, "", "times a session's window was made smaller"),
    WEIR_STAT(PoolStats, leases_total, "", "connections lent to one session"),
    WEIR_STAT(PoolStats, leases, "", "connections lent now"),
    WEIR_STAT(PoolStats, set_aside_total, "", "shared connections set aside for a large reply"),
    WEIR_STAT(PoolStats, set_aside, "", "shared connections set aside now"),
    WEIR_STAT(PoolStats, closed_by_output_limit, "", "sessions closed: session_output_limit"),
    WEIR_STAT(PoolStats, closed_by_pool_output_limit, "", "sessions closed: pool_output_limit"),
    WEIR_STAT(PoolStats, closed_by_memory_limit, "", "sessions closed: memory_limit"),
    WEIR_STAT(PoolStats, closed_by_progress_limit, "",
              "sessions closed: a half-received request or half-sent reply did not move"),
    WEIR_STAT(PoolStats, server_restores, "", "shards restored after an ejection"),
    WEIR_STAT(PoolStats, probes, "", "probes of ejected shards"),
    WEIR_STAT(PoolStats, probes_failed, "", "probes of ejected shards that failed"),
};

// All of them are twemproxy's.
inline constexpr StatField<ShardStats> kShardStatFields[] = {
    WEIR_STAT(ShardStats, server_eof, "", "connections that the shard ended"),
    WEIR_STAT(ShardStats, server_err, "", "connections that ended with an error"),
    WEIR_STAT(ShardStats, server_timedout, "", "timeouts of requests and of connections"),
    WEIR_STAT(ShardStats, server_connections, "", "connections open now"),
    WEIR_STAT(ShardStats, server_ejected_at, "microseconds since the epoch", "last ejection, or 0"),
    WEIR_STAT(ShardStats, requests, "", "requests (fragments) written or queued"),
    WEIR_STAT(ShardStats, request_bytes, "bytes", "bytes of requests"),
    WEIR_STAT(ShardStats, responses, "", "replies read"),
    WEIR_STAT(ShardStats, response_bytes, "bytes", "bytes of replies"),
    WEIR_STAT(ShardStats, in_queue, "", "requests queued, not yet written"),
    WEIR_STAT(ShardStats, in_queue_bytes, "bytes", "bytes of requests queued"),
    WEIR_STAT(ShardStats, out_queue, "", "requests pending: written, no reply yet"),
    WEIR_STAT(ShardStats, out_queue_bytes, "bytes", "bytes of requests pending"),
};

#undef WEIR_STAT

}  // namespace weir
