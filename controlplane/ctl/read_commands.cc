#include "controlplane/ctl/read_commands.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "controlplane/ctl/message_text.h"
#include "controlplane/ctl/pool_text.h"
#include "controlplane/ctl/text.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

using Stub = AdminClient::Stub;

// The answer as a message, or as `text` makes it for people; or the error.
template <typename Response, typename Text>
ExitCode Show(const absl::StatusOr<Response>& response, const Text& text, const CtlOptions& options,
              Session& session) {
  if (!response.ok()) return Fail(response.status(), session.console);
  session.console.out << (options.output == OutputFormat::kTable
                              ? text(*response)
                              : FormatMessage(*response, options.output));
  return ExitCode::kDone;
}

// Those that the command names, or all of the fleet.
absl::StatusOr<v1::ListPoolsResponse> FetchPools(const CtlOptions& options, Session& session) {
  if (options.words.empty()) return ListAllPools(session.client, options.fleet);
  v1::ListPoolsResponse pools;
  for (const std::string& name : options.words) {
    absl::StatusOr<v1::Pool> pool = GetPool(session.client, name);
    if (!pool.ok()) return pool.status();
    *pools.add_pools() = *std::move(pool);
  }
  return pools;
}

// The ring's slots as they are, changed as the command proposes.
absl::Status Propose(const CtlOptions& options, Session& session, v1::ExplainKeyRequest& request) {
  if (options.with.empty() && options.without.empty()) return absl::OkStatus();
  const absl::StatusOr<v1::Pool> pool = GetPool(session.client, request.pool());
  if (!pool.ok()) return pool.status();
  for (const std::string& name : options.without) {
    const auto& slots = pool->shard_map().slots();
    if (std::ranges::find(slots, name, &v1::Slot::name) == slots.end()) {
      return InvalidArgument("--without: pool '", request.pool(), "' has no shard '", name, "'");
    }
  }
  const auto is_replaced = [&](const std::string& name) {
    return std::ranges::find(options.without, name) != options.without.end() ||
           std::ranges::find(options.with, name, &v1::RingSlot::name) != options.with.end();
  };
  for (const v1::Slot& slot : pool->shard_map().slots()) {
    if (slot.state() != v1::SLOT_ACTIVE || is_replaced(slot.name())) continue;
    v1::RingSlot& proposed = *request.add_proposed_slots();
    proposed.set_name(slot.name());
    proposed.set_weight(slot.weight());
  }
  for (const v1::RingSlot& slot : options.with) *request.add_proposed_slots() = slot;
  if (request.proposed_slots().empty()) {
    return InvalidArgument("--without: expected at least one shard to stay on the ring");
  }
  return absl::OkStatus();
}

// By pool, what was printed of it last.
using PrintedPools = std::map<std::string, std::string>;

// Leaves out a pool of which only the number of its proxies has changed.
void PrintChanges(const v1::WatchPoolsResponse& response, PrintedPools& printed,
                  std::ostream& out) {
  google::protobuf::Timestamp now;
  now.set_seconds(absl::ToUnixSeconds(absl::Now()));
  const std::string time = TimeText(now);
  for (const v1::Pool& pool : response.changed()) {
    v1::Pool without_proxies = pool;
    without_proxies.mutable_status()->clear_proxies();
    std::string shown = StatusText(pool) + without_proxies.SerializeAsString();
    std::string& before = printed[pool.name()];
    if (shown == before) continue;
    before = std::move(shown);
    out << time << "  " << Displayable(pool.name()) << ": generation "
        << pool.shard_map().generation() << ", " << ShardsOnRing(pool) << ", " << StatusText(pool)
        << '\n';
  }
  for (const std::string& name : response.removed()) {
    out << time << "  " << Displayable(name) << ": deleted\n";
    printed.erase(name);
  }
  out << std::flush;
}

}  // namespace

ExitCode GetPools(const CtlOptions& options, Session& session) {
  if (options.output == OutputFormat::kYaml) return ExportPools(options, session);
  return Show(FetchPools(options, session), PoolsTable, options, session);
}

ExitCode GetShards(const CtlOptions& options, Session& session) {
  const absl::StatusOr<v1::Pool> pool = GetPool(session.client, options.words[0]);
  if (!pool.ok()) return Fail(pool.status(), session.console);
  if (options.output != OutputFormat::kTable) {
    session.console.out << FormatMessage(pool->shard_map(), options.output);
    return ExitCode::kDone;
  }
  const auto proxies = ListAllProxies(session.client, "", pool->name());
  if (!proxies.ok()) return Fail(proxies.status(), session.console);
  session.console.out << ShardsTable(*pool, *proxies);
  return ExitCode::kDone;
}

ExitCode GetProxies(const CtlOptions& options, Session& session) {
  return Show(ListAllProxies(session.client, options.fleet, options.pool), ProxiesTable, options,
              session);
}

ExitCode GetVersions(const CtlOptions& options, Session& session) {
  return Show(ListAllVersions(session.client, options.words[0]), VersionsTable, options, session);
}

ExitCode DescribePoolCommand(const CtlOptions& options, Session& session) {
  const absl::StatusOr<v1::Pool> pool = GetPool(session.client, options.words[0]);
  if (!pool.ok()) return Fail(pool.status(), session.console);
  const auto proxies = ListAllProxies(session.client, "", pool->name());
  if (!proxies.ok()) return Fail(proxies.status(), session.console);
  const auto text = [&](const v1::Pool& shown) { return DescribePool(shown, *proxies); };
  return Show(pool, text, options, session);
}

ExitCode ExplainKeyCommand(const CtlOptions& options, Session& session) {
  v1::ExplainKeyRequest request;
  request.set_pool(options.words[0]);
  request.set_key(options.words[1]);
  if (const absl::Status status = Propose(options, session, request); !status.ok()) {
    return Fail(status, session.console);
  }
  const auto text = [&](const v1::ExplainKeyResponse& answer) {
    return ExplainText(request, answer);
  };
  return Show(session.client.Call(&Stub::ExplainKey, request), text, options, session);
}

ExitCode WatchPools(const CtlOptions& options, Session& session) {
  v1::WatchPoolsRequest request;
  request.set_fleet(options.fleet);
  PrintedPools printed;
  const absl::Status ended =
      session.client.Watch(request, [&](const v1::WatchPoolsResponse& response) {
        std::ostream& out = session.console.out;
        switch (options.output) {
          case OutputFormat::kTable:
            PrintChanges(response, printed, out);
            break;
          case OutputFormat::kJson:
            out << MessageLine(response) << std::flush;
            break;
          case OutputFormat::kYaml:
            out << "---\n" << FormatMessage(response, options.output) << std::flush;
        }
        return out.good();
      });
  return ended.ok() ? ExitCode::kDone : Fail(ended, session.console);
}

ExitCode ExportPools(const CtlOptions& options, Session& session) {
  const absl::StatusOr<v1::ListPoolsResponse> pools = FetchPools(options, session);
  if (!pools.ok()) return Fail(pools.status(), session.console);
  if (options.output == OutputFormat::kJson) {
    session.console.out << FormatMessage(*pools, options.output);
    return ExitCode::kDone;
  }
  for (const v1::Pool& pool : pools->pools()) {
    session.console.out << FormatPool(pool.name(), pool.spec());
  }
  return ExitCode::kDone;
}

}  // namespace weir
