#include "controlplane/model/version_changes.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "controlplane/model/pending.h"
#include "controlplane/model/proposal.h"
#include "controlplane/model/proto_time.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

ChangeError FailedPrecondition(std::string message) {
  return {.code = absl::StatusCode::kFailedPrecondition, .message = std::move(message)};
}

// Old content with the endpoints of today: a declared shard's as it is declared, else in force; the
// other way round for one in force. A shard that is gone returns with the endpoint that it had.
Proposal OldContent(const v1::PoolRecord& record, const v1::Version& version) {
  absl::flat_hash_map<std::string_view, std::string_view> declared;
  absl::flat_hash_map<std::string_view, std::string_view> in_force;
  for (const v1::ShardSpec& shard : record.spec().servers()) {
    declared[shard.name()] = shard.endpoint();
    in_force[shard.name()] = shard.endpoint();
  }
  for (const v1::Slot& slot : record.shard_map().slots()) {
    declared.try_emplace(slot.name(), slot.endpoint());
    in_force[slot.name()] = slot.endpoint();
  }
  Proposal proposal{.spec = version.spec(), .slots = version.shard_map().slots(), .declares = true};
  for (v1::ShardSpec& shard : *proposal.spec.mutable_servers()) {
    const auto found = declared.find(shard.name());
    if (found != declared.end()) shard.set_endpoint(std::string(found->second));
  }
  for (v1::Slot& slot : proposal.slots) {
    const auto found = in_force.find(slot.name());
    if (found != in_force.end()) slot.set_endpoint(std::string(found->second));
  }
  return proposal;
}

}  // namespace

ChangeResult ApprovePlan(const v1::PoolRecord* record, const v1::ApprovePlanRequest& request,
                         const ChangeContext& context) {
  RequestTerms terms = TermsOf(request);
  terms.needs_etag = false;
  if (auto early = AnswerEarly(record, request.pool(), terms)) return *std::move(early);
  const v1::HeldChange& held = record->held();
  if (!record->has_held() || held.plan().id() != request.plan_id()) {
    return FailedPrecondition(
        StrCat("pool '", record->name(), "' holds no change with plan '", request.plan_id(), "'",
               record->has_held() ? StrCat("; it holds '", held.plan().id(), "'") : ""));
  }
  if (held.plan().base_generation() != record->shard_map().generation()) {
    return FailedPrecondition(StrCat("pool '", record->name(), "' is at generation ",
                                     record->shard_map().generation(), ", the plan starts from ",
                                     held.plan().base_generation(), ": make the change again"));
  }
  if (request.options().has_max_moved_fraction() &&
      held.plan().moved_fraction() > request.options().max_moved_fraction()) {
    return FailedPrecondition(
        StrCat("plan '", held.plan().id(), "' moves ", held.plan().moved_fraction(),
               " of the keys, the request allows ", request.options().max_moved_fraction()));
  }
  v1::HeldContent content = record->held_content();
  Slots& slots = *content.mutable_shard_map()->mutable_slots();
  SettleStates(record->shard_map().slots(), context.has_address, slots);
  if (auto error = CheckSlots(*record, slots); error.has_value()) return *std::move(error);
  ChangeContext approval = context;
  approval.origin =
      StrCat(context.origin, ", approving what ", held.actor(), " asked for from ", held.origin());
  return Finish(ApplyContent(*record, std::move(content), held.plan(), approval), terms);
}

ChangeResult Rollback(const v1::PoolRecord* record, const v1::RollbackRequest& request,
                      const v1::Version* version, const ChangeContext& context) {
  const RequestTerms terms = TermsOf(request);
  if (auto early = AnswerEarly(record, request.pool(), terms)) return *std::move(early);
  if (version == nullptr) {
    return ChangeError{.code = absl::StatusCode::kNotFound,
                       .message = StrCat("no version of generation ", request.generation(),
                                         " of pool '", record->name(), "' is kept")};
  }
  if (!version->error().empty()) {
    return ChangeError{.code = absl::StatusCode::kDataLoss,
                       .message = StrCat("generation ", request.generation(), " of pool '",
                                         record->name(), "' cannot be read: ", version->error())};
  }
  ChangeContext rollback = context;
  rollback.origin = StrCat(context.origin, ", rollback to ", request.generation());
  return Propose(*record, OldContent(*record, *version), terms, rollback);
}

Change BeginNewHistory(const v1::PoolRecord& record, const ChangeContext& context) {
  v1::PoolRecord reborn = record;
  reborn.set_uid(context.new_uid);
  // Later than the state before, whatever the clock says.
  const absl::Time after = FromProto(record.created()) + absl::Nanoseconds(1);
  *reborn.mutable_created() = ToProto(std::max(FromProto(context.now), after));
  Change change = PutOnRing(reborn, reborn.shard_map().slots(), context);
  change.plan.add_changes("begin a new history: proxies take it whatever they hold");
  *change.version->mutable_plan() = change.plan;
  return change;
}

}  // namespace weir
