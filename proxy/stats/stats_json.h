// twemproxy's statistics, byte for byte in its layout, summed over all writers' tables.
//
//   {"service":"nutcracker", "source":"host", "version":"…", "uptime":1, "timestamp":2,
//    "total_connections":3, "curr_connections":4, "alpha": {"client_eof":0, …, "fragments":0,
//    "server1-1": {"server_eof":0, …, "out_queue_bytes":0},"server1-2": {…}},"beta": {…}}
//
// on one line, ended by a newline: twemproxy's monitoring scripts read it unchanged. Weir's own
// numbers are not in it; they are metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "proxy/stats/stats_table.h"

namespace weir {

// What the tables do not know.
struct StatsFacts {
  std::string service = "nutcracker";  // what twemproxy says and scripts may check
  std::string source;                  // the host's name
  std::string version;
  int64_t uptime = 0;     // seconds
  int64_t timestamp = 0;  // seconds since the epoch
};

// Pools and shards are those of the first table, in its order; the others' numbers are added by
// name, so that tables of an older or newer snapshot may be among them. `tables` is not empty.
// Callable from any thread, while the tables are written to; each number is then one that was true
// at some moment during the call.
std::string StatsJson(const StatsFacts& facts,
                      std::span<const std::shared_ptr<const StatsTable>> tables);

}  // namespace weir
