#include "controlplane/ctl/pool_text.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "controlplane/ctl/plan_text.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/text.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

constexpr std::string_view kDefaultFleet = "default";

std::string FleetText(const std::string& fleet) {
  return fleet.empty() ? std::string(kDefaultFleet) : fleet;
}

// "SLOT_ACTIVE" → "active".
std::string LowerName(const std::string& name, std::string_view prefix) {
  return absl::AsciiStrToLower(ToAbsl(std::string_view(name).substr(prefix.size())));
}

std::string StateText(v1::SlotState state) {
  if (state == v1::SLOT_STATE_UNSPECIFIED) return "";
  return LowerName(v1::SlotState_Name(state), "SLOT_");
}

std::string SourceText(v1::SlotSource source) {
  if (source == v1::SLOT_SOURCE_UNSPECIFIED) return "";
  return LowerName(v1::SlotSource_Name(source), "SLOT_FROM_");
}

Table ShardRows(const v1::Pool& pool) {
  Table table({"SHARD", "ENDPOINT", "WEIGHT", "STATE", "SOURCE"});
  for (const v1::Slot& slot : pool.shard_map().slots()) {
    table.Add({slot.name(), slot.endpoint(), std::to_string(slot.weight()), StateText(slot.state()),
               SourceText(slot.source())});
  }
  return table;
}

Table ProxyRows(const v1::ListProxiesResponse& proxies) {
  Table table(
      {"PROXY", "FLEET", "ADDRESS", "BUILD", "IN SYNC", "SESSIONS", "REQUESTS/S", "REFUSED"});
  for (const v1::Proxy& proxy : proxies.proxies()) {
    const bool has_report = proxy.has_reported();
    table.Add({proxy.node().id(), FleetText(proxy.node().fleet()), proxy.address(),
               proxy.node().build(), proxy.in_sync() ? "yes" : "no",
               has_report ? std::to_string(proxy.report().sessions()) : "",
               has_report ? absl::StrFormat("%.0f", proxy.report().requests_per_second()) : "",
               std::to_string(proxy.errors_size())});
  }
  return table;
}

// A line for each resource that a proxy has refused.
std::string RefusedLines(const v1::ListProxiesResponse& proxies) {
  std::string text;
  for (const v1::Proxy& proxy : proxies.proxies()) {
    for (const v1::ResourceError& error : proxy.errors()) {
      StrAppend(&text, "proxy '", Displayable(proxy.node().id()), "' refuses '",
                Displayable(error.key().name()), "': ", Displayable(error.field()),
                error.field().empty() ? "" : ": ", Displayable(error.error_detail()), "\n");
    }
  }
  return text;
}

// A line for each shard that a proxy has ejected.
std::string EjectedLines(const v1::Pool& pool, const v1::ListProxiesResponse& proxies,
                         std::string_view indent) {
  std::string text;
  for (const v1::Proxy& proxy : proxies.proxies()) {
    for (const v1::ShardReport& shard : proxy.report().shards()) {
      if (shard.pool() != pool.name() || !shard.ejected()) continue;
      StrAppend(&text, indent, "shard '", Displayable(shard.shard()), "' is ejected by proxy '",
                Displayable(proxy.node().id()), "' since ", TimeText(shard.ejected_since()), "\n");
    }
  }
  return text;
}

std::string Line(std::string_view name, const std::string& value) {
  return absl::StrFormat("%-12s%s\n", absl::StrCat(ToAbsl(name), ":"), Displayable(value));
}

std::string PlaceText(const v1::KeyPlace& place) {
  if (place.shard().empty()) return "nowhere: no shard is on the ring";
  std::string text =
      StrCat("shard '", Displayable(place.shard()), "' by ring point ", place.ring_point());
  if (!place.endpoint().empty()) StrAppend(&text, ", endpoint ", Displayable(place.endpoint()));
  if (!StateText(place.state()).empty()) StrAppend(&text, ", ", StateText(place.state()));
  for (const std::string& address : place.addresses()) {
    if (address != place.endpoint()) StrAppend(&text, ", at ", Displayable(address));
  }
  return text;
}

// Empty: all proxies serve the pool as it is, or nothing is known of them.
std::string ProxiesRemark(const v1::PoolStatus& status) {
  const v1::PoolProxies& proxies = status.proxies();
  if (!status.has_proxies()) return "";
  if (proxies.connected() == 0) return "no proxy";
  const std::string of_all = StrCat(" of ", proxies.connected(), " proxies ");
  if (proxies.refusing() > 0) return StrCat(proxies.refusing(), of_all, "refuse it");
  if (proxies.up_to_date() == proxies.connected()) return "";
  return StrCat(proxies.connected() - proxies.up_to_date(), of_all, "behind");
}

size_t ActiveShards(const v1::Pool& pool) {
  return static_cast<size_t>(
      std::ranges::count(pool.shard_map().slots(), v1::SLOT_ACTIVE, &v1::Slot::state));
}

}  // namespace

std::string ShardsOnRing(const v1::Pool& pool) {
  const size_t count = ActiveShards(pool);
  return StrCat(count, count == 1 ? " shard" : " shards", " on the ring");
}

std::string StatusText(const v1::Pool& pool) {
  const v1::PoolStatus& status = pool.status();
  std::vector<std::string> remarks;
  const auto secrets = std::ranges::count_if(
      status.waiting(), [](const std::string& line) { return line.starts_with("secret "); });
  if (const auto shards = status.waiting_size() - secrets; shards > 0) {
    remarks.push_back(StrCat(shards, shards == 1 ? " shard waits" : " shards wait"));
  }
  if (secrets > 0) remarks.emplace_back("secret missing");
  if (status.drifted()) remarks.emplace_back("drifted");
  if (status.has_held()) remarks.emplace_back("change held");
  if (!status.file_errors().empty()) remarks.emplace_back("file refused");
  if (std::string remark = ProxiesRemark(status); !remark.empty()) {
    remarks.push_back(std::move(remark));
  }
  return remarks.empty() ? "ok" : absl::StrJoin(remarks, ", ");
}

std::string PoolsTable(const v1::ListPoolsResponse& pools) {
  if (pools.pools().empty()) return "no pools\n";
  Table table({"POOL", "FLEET", "LISTEN", "SHARDS", "GENERATION", "STATUS", "CHANGED"});
  for (const v1::Pool& pool : pools.pools()) {
    table.Add({pool.name(), FleetText(pool.spec().fleet()), pool.spec().policy().listen(),
               StrCat(ActiveShards(pool), "/", pool.shard_map().slots_size()),
               std::to_string(pool.shard_map().generation()), StatusText(pool),
               TimeText(pool.status().changed())});
  }
  return table.Format();
}

std::string ShardsTable(const v1::Pool& pool, const v1::ListProxiesResponse& proxies) {
  std::string text = StrCat(ShardRows(pool).Format(), EjectedLines(pool, proxies, ""));
  for (const std::string& line : pool.status().waiting()) StrAppend(&text, Displayable(line), "\n");
  return text;
}

std::string ProxiesTable(const v1::ListProxiesResponse& proxies) {
  if (proxies.proxies().empty()) return "no proxy is connected\n";
  return ProxyRows(proxies).Format() + RefusedLines(proxies);
}

std::string VersionsTable(const v1::ListVersionsResponse& versions) {
  Table table({"GENERATION", "TIME", "WHO", "FROM", "MOVED", "CHANGES"});
  for (const v1::Version& version : versions.versions()) {
    const auto& changes = version.plan().changes();
    std::string shown = changes.empty() ? "" : changes[0];
    if (changes.size() > 1) StrAppend(&shown, " (and ", changes.size() - 1, " more)");
    if (!version.error().empty()) {
      table.Add({std::to_string(version.generation()), "", "", "", "",
                 StrCat("cannot be read: ", version.error())});
      continue;
    }
    table.Add({std::to_string(version.generation()), TimeText(version.time()), version.actor(),
               version.origin(), Percent(version.plan().moved_fraction()), shown});
  }
  return table.Format();
}

std::string DescribePool(const v1::Pool& pool, const v1::ListProxiesResponse& proxies) {
  const v1::PoolStatus& status = pool.status();
  std::string text =
      Line("Pool", pool.name()) + Line("Fleet", FleetText(pool.spec().fleet())) +
      Line("Generation",
           StrCat(pool.shard_map().generation(), ", declaration ", pool.declared_generation())) +
      Line("Created", TimeText(pool.created())) + Line("Changed", TimeText(status.changed())) +
      Line("Status", StatusText(pool)) +
      Line("Versions",
           StrCat("pool ", status.version(), ", endpoints ", status.endpoints_version())) +
      Line("Etag", pool.etag());
  StrAppend(&text, "\nIn force, ", ShardsOnRing(pool), ":\n", ShardRows(pool).Format(2),
            EjectedLines(pool, proxies, "  "));
  for (const std::string& line : status.waiting()) StrAppend(&text, "  ", Displayable(line), "\n");
  if (!status.file_errors().empty()) {
    text += "\nThe pool's file was edited, and is not in force:\n";
  }
  for (const std::string& line : status.file_errors()) {
    StrAppend(&text, "  ", Displayable(line), "\n");
  }
  if (status.drifted()) text += "\nDifferent from the declaration, by changes made live:\n";
  for (const std::string& line : status.drift()) StrAppend(&text, "  ", Displayable(line), "\n");
  if (status.has_held()) {
    StrAppend(&text, "\nA change is held since ", TimeText(status.held().since()), ", by '",
              Displayable(status.held().actor()), "' (", Displayable(status.held().origin()),
              "):\n", FormatPlan(status.held().plan()), "To make it: weirctl approve ",
              Displayable(pool.name()), " ", Displayable(status.held().plan().id()), "\n");
  }
  text += "\nProxies:\n";
  text += proxies.proxies().empty() ? "  none is connected\n" : ProxyRows(proxies).Format(2);
  text += RefusedLines(proxies);
  return StrCat(text, "\nDeclared:\n", FormatPool(pool.name(), pool.spec()));
}

std::string ExplainText(const v1::ExplainKeyRequest& request,
                        const v1::ExplainKeyResponse& answer) {
  std::string text = StrCat("key '", absl::Utf8SafeCEscape(request.key()), "': hashed '",
                            Displayable(answer.hash_input()), "' -> ", answer.hash(), "\n",
                            "now:      ", PlaceText(answer.now()), "\n");
  if (request.proposed_slots().empty()) return text;
  const bool stays = answer.now().shard() == answer.proposed().shard();
  return StrCat(text, "proposed: ", PlaceText(answer.proposed()), stays ? " (stays)" : " (moves)",
                "\n");
}

}  // namespace weir
