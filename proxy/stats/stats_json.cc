#include "proxy/stats/stats_json.h"

#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using Tables = std::span<const std::shared_ptr<const StatsTable>>;

// twemproxy writes names as they are; a name with a quote would break its JSON, so here it is
// escaped.
void AppendQuoted(std::string* json, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  json->push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json->append({'\\', c});
    } else if (byte < ' ') {
      json->append({'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]});
    } else {
      json->push_back(c);
    }
  }
  json->push_back('"');
}

// `"name":value` for each field, with ", " between them.
template <typename Stats>
void AppendFields(std::string* json, std::span<const StatField<Stats>> fields,
                  const std::vector<const Stats*>& writers) {
  std::string_view separator = "";
  for (const StatField<Stats>& field : fields) {
    uint64_t total = 0;
    for (const Stats* stats : writers) total = MergeStat(field.kind, total, field.read(*stats));
    StrAppend(json, separator, "\"", field.name, "\":", static_cast<int64_t>(total));
    separator = ", ";
  }
}

template <typename Stats, typename Find>
std::vector<const Stats*> WritersOf(Tables tables, Find find) {
  std::vector<const Stats*> writers;
  for (const std::shared_ptr<const StatsTable>& table : tables) {
    if (const Stats* stats = find(*table)) writers.push_back(stats);
  }
  return writers;
}

void AppendHeader(std::string* json, const StatsFacts& facts, Tables tables) {
  json->append("{\"service\":");
  AppendQuoted(json, facts.service);
  json->append(", \"source\":");
  AppendQuoted(json, facts.source);
  json->append(", \"version\":");
  AppendQuoted(json, facts.version);
  StrAppend(json, ", \"uptime\":", facts.uptime, ", \"timestamp\":", facts.timestamp, ", ");
  AppendFields<ProcessStats>(
      json, kProcessStatFields,
      WritersOf<ProcessStats>(tables, [](const StatsTable& t) { return &t.process(); }));
}

void AppendShard(std::string* json, const StatsLayout::Pool& pool, size_t pool_index,
                 size_t shard_index, Tables tables) {
  const std::string& name = pool.shards[shard_index];
  AppendQuoted(json, name);
  json->append(": {");
  AppendFields<ShardStats>(json, kShardStatFields,
                           WritersOf<ShardStats>(tables, [&](const StatsTable& table) {
                             return table.FindShard(pool.name, pool_index, name, shard_index);
                           }));
  json->push_back('}');
}

void AppendPool(std::string* json, const StatsLayout::Pool& pool, size_t index, Tables tables) {
  AppendQuoted(json, pool.name);
  json->append(": {");
  AppendFields<PoolStats>(json, std::span(kPoolStatFields).first<kTwemproxyPoolFields>(),
                          WritersOf<PoolStats>(tables, [&](const StatsTable& table) {
                            return table.FindPool(pool.name, index);
                          }));
  for (size_t shard = 0; shard < pool.shards.size(); ++shard) {
    json->append(shard == 0 ? ", " : ",");
    AppendShard(json, pool, index, shard, tables);
  }
  json->push_back('}');
}

}  // namespace

std::string StatsJson(const StatsFacts& facts, Tables tables) {
  CHECK(!tables.empty());
  std::string json;
  AppendHeader(&json, facts, tables);
  const StatsLayout& layout = tables.front()->layout();
  for (size_t pool = 0; pool < layout.pools.size(); ++pool) {
    json.append(pool == 0 ? ", " : ",");
    AppendPool(&json, layout.pools[pool], pool, tables);
  }
  json.append("}\n");
  return json;
}

}  // namespace weir
