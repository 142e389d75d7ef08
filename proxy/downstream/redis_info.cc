#include "proxy/downstream/redis_info.h"

#include <unistd.h>

#include <algorithm>

#include "proxy/downstream/redis_local_request.h"

namespace weir {
namespace {

// Clients check redis_version, redis_mode and loading before they begin. What Weir has nothing to
// say about (memory, replicas' offsets, keyspace) is left out or empty, not made up.
void AppendServer(const LocalContext& context, std::string* out) {
  const int64_t uptime = absl::ToInt64Seconds(context.now - context.started_at);
  constexpr int64_t kSecondsPerDay = 86'400;
  StrAppend(out, "redis_version:", kRedisVersion,
            "\r\nredis_mode:standalone\r\nweir_version:", context.version,
            "\r\nweir_pool:", context.pool.name, "\r\nweir_shards:", context.pool.servers.size(),
            "\r\nweir_workers:", context.workers);
  StrAppend(out, "\r\narch_bits:", sizeof(void*) * 8, "\r\nprocess_id:", getpid(),
            "\r\ntcp_port:", context.pool.listen.endpoint.port,
            "\r\nserver_time_usec:", absl::ToUnixMicros(context.now),
            "\r\nuptime_in_seconds:", uptime, "\r\nuptime_in_days:", uptime / kSecondsPerDay,
            "\r\n");
}

void AppendClients(const LocalContext& context, std::string* out) {
  StrAppend(out, "connected_clients:", context.sessions, "\r\n");
  if (context.pool.client_connections > 0) {
    StrAppend(out, "maxclients:", context.pool.client_connections, "\r\n");
  }
  StrAppend(out, "blocked_clients:0\r\n");
}

void AppendPersistence(const LocalContext& context, std::string* out) {
  StrAppend(out, "loading:0\r\nasync_loading:0\r\n");
}

void AppendReplication(const LocalContext& context, std::string* out) {
  StrAppend(out, "role:master\r\nconnected_slaves:0\r\n");
}

void AppendCluster(const LocalContext& context, std::string* out) {
  StrAppend(out, "cluster_enabled:0\r\n");
}

struct InfoSection {
  std::string_view name;
  void (*append)(const LocalContext& context, std::string* out);  // null: nothing but its name
};

// In redis' order.
constexpr InfoSection kSections[] = {
    {"Server", AppendServer},
    {"Clients", AppendClients},
    {"Persistence", AppendPersistence},
    {"Replication", AppendReplication},
    {"Modules", nullptr},
    {"Cluster", AppendCluster},
    {"Keyspace", nullptr},
};

bool IsWanted(std::string_view section, CommandArgs wanted) {
  const auto names = [section](std::string_view word) {
    return IsWord(word, section) || IsWord(word, "default") || IsWord(word, "all") ||
           IsWord(word, "everything");
  };
  return wanted.empty() || std::ranges::any_of(wanted, names);
}

}  // namespace

std::string InfoText(CommandArgs wanted, const LocalContext& context) {
  std::string text;
  for (const InfoSection& section : kSections) {
    if (!IsWanted(section.name, wanted)) continue;
    if (!text.empty()) text += "\r\n";
    StrAppend(&text, "# ", section.name, "\r\n");
    if (section.append != nullptr) section.append(context, &text);
  }
  return text;
}

}  // namespace weir
