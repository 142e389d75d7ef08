#include "controlplane/ctl/plan_text.h"

#include <algorithm>

#include "controlplane/ctl/table.h"
#include "controlplane/ctl/text.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr int kMostMoves = 20;  // lines

std::string ShardText(const std::string& shard) { return shard.empty() ? "(nobody)" : shard; }

std::string MovesText(const v1::Plan& plan) {
  if (plan.moves().empty()) return "";
  Table table({"FROM", "TO", "KEYS"});
  double listed = 0;
  const int count = std::min(plan.moves_size(), kMostMoves);
  for (int i = 0; i < count; ++i) {
    const v1::Move& move = plan.moves(i);
    table.Add({ShardText(move.from_shard()), ShardText(move.to_shard()), Percent(move.fraction())});
    listed += move.fraction();
  }
  const double rest = plan.moved_fraction() - listed;
  if (plan.moves_size() > count) table.Add({"(others)", "", Percent(rest)});
  return table.Format(2);
}

std::string MovedLine(const v1::Plan& plan) {
  switch (plan.method()) {
    case v1::PLAN_NOT_APPLICABLE:
      return "keys that move: not applicable, each request goes to any shard\n";
    case v1::PLAN_ESTIMATED:
      return StrCat("keys that move: about ", Percent(plan.moved_fraction()), " (estimated",
                    plan.estimated_because().empty() ? "" : ": ",
                    Displayable(plan.estimated_because()), ")\n");
    default:
      return StrCat("keys that move: ", Percent(plan.moved_fraction()), "\n");
  }
}

std::string_view OutcomeText(v1::ProxyOutcome outcome) {
  switch (outcome) {
    case v1::PROXY_ACKED:
      return "acknowledged";
    case v1::PROXY_NACKED:
      return "refused";
    case v1::PROXY_GONE:
      return "went away";
    case v1::PROXY_TIMEOUT:
      return "no answer in time";
    default:
      return "unknown";
  }
}

bool IsAcked(const v1::ProxyResult& result) { return result.outcome() == v1::PROXY_ACKED; }

}  // namespace

std::string FormatPlan(const v1::Plan& plan) {
  // The plan of a deletion has no id: nothing holds it.
  std::string text =
      StrCat("plan ", Displayable(plan.id()), plan.id().empty() ? "" : " ", "of pool '",
             Displayable(plan.pool()), "', from generation ", plan.base_generation(), "\n");
  for (const std::string& change : plan.changes()) {
    StrAppend(&text, "  ", Displayable(change), "\n");
  }
  if (plan.changes().empty()) text += "  nothing changes\n";
  StrAppend(&text, "shards on the ring: ", plan.shards_before(), " -> ", plan.shards_after(), "\n",
            MovedLine(plan), MovesText(plan));
  for (const std::string& reason : plan.held_because()) {
    StrAppend(&text, "held by the guard: ", Displayable(reason), "\n");
  }
  return text;
}

bool AllAcked(const v1::ChangeResponse& response) {
  return std::ranges::all_of(response.proxies(), IsAcked);
}

std::string FormatProxyResults(const v1::ChangeResponse& response) {
  if (response.proxies().empty()) return "no proxy of the fleet is connected\n";
  std::string text = StrCat(std::ranges::count_if(response.proxies(), IsAcked), " of ",
                            response.proxies_size(), " proxies have acknowledged\n");
  if (AllAcked(response)) return text;
  Table table({"PROXY", "OUTCOME", "REASON"});
  for (const v1::ProxyResult& result : response.proxies()) {
    if (IsAcked(result)) continue;
    table.Add({result.node_id(), std::string(OutcomeText(result.outcome())), result.reason()});
  }
  return text + table.Format(2);
}

}  // namespace weir
