#include "controlplane/server/change_log.h"

#include "absl/strings/str_join.h"
#include "proxy/base/log.h"

namespace weir {
namespace {

// Null: nothing to tell of, as when only the request's id is remembered.
const char* EventOf(const Change& change) {
  switch (change.effect) {
    case ChangeEffect::kApplied:
      return "pool_changed";
    case ChangeEffect::kHeld:
      return "pool_change_held";
    case ChangeEffect::kDeleted:
      return "pool_deleted";
    case ChangeEffect::kNothing:
    case ChangeEffect::kMissing:
    case ChangeEffect::kReplayed:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

void LogChange(const Change& change, std::string_view pool, std::string_view actor,
               std::string_view origin) {
  if (!change.dropped.empty()) {
    LOG_EVENT(LogLevel::kNotice, "pool_change_dropped", {"pool", pool}, {"actor", actor},
              {"origin", origin}, {"plan", change.dropped}, {"for_plan", change.plan.id()});
  }
  const char* const event = EventOf(change);
  if (event == nullptr) return;
  LOG_EVENT(LogLevel::kNotice, event, {"pool", pool}, {"actor", actor}, {"origin", origin},
            {"generation", change.record.shard_map().generation()}, {"plan", change.plan.id()},
            {"moved_fraction", change.plan.moved_fraction()},
            {"shards", change.plan.shards_after()},
            {"changes", absl::StrJoin(change.plan.changes(), "; ")},
            {"held_because", absl::StrJoin(change.plan.held_because(), "; ")});
}

}  // namespace weir
