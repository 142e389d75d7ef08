#include "controlplane/model/version_changes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "controlplane/model/merge.h"
#include "controlplane/model/proposal.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

ChangeError FailedPrecondition(std::string message) {
  return {.code = absl::StatusCode::kFailedPrecondition, .message = std::move(message)};
}

// The endpoint that the declaration has for `shard` now, else the one in force; empty when the
// shard is gone.
std::string DeclaredEndpoint(const v1::PoolRecord& record, const std::string& shard) {
  auto found = std::ranges::find(record.spec().servers(), shard, &v1::ShardSpec::name);
  if (found != record.spec().servers().end()) return found->endpoint();
  const v1::Slot* slot = FindSlot(record.shard_map().slots(), shard);
  return slot == nullptr ? std::string() : slot->endpoint();
}

// The same the other way round.
std::string EndpointInForce(const v1::PoolRecord& record, const std::string& shard) {
  const v1::Slot* slot = FindSlot(record.shard_map().slots(), shard);
  return slot == nullptr ? DeclaredEndpoint(record, shard) : slot->endpoint();
}

Proposal OldContent(const v1::PoolRecord& record, const v1::Version& version) {
  Proposal proposal{.spec = version.spec(), .slots = version.shard_map().slots(), .declares = true};
  for (v1::ShardSpec& shard : *proposal.spec.mutable_servers()) {
    std::string endpoint = DeclaredEndpoint(record, shard.name());
    if (!endpoint.empty()) shard.set_endpoint(std::move(endpoint));
  }
  for (v1::Slot& slot : proposal.slots) {
    std::string endpoint = EndpointInForce(record, slot.name());
    if (!endpoint.empty()) slot.set_endpoint(std::move(endpoint));
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
  ChangeContext approval = context;
  approval.origin =
      StrCat(context.origin, ", approving what ", held.actor(), " asked for from ", held.origin());
  return Finish(ApplyContent(*record, record->held_content(), held.plan(), approval), terms);
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
  ChangeContext rollback = context;
  rollback.origin = StrCat("rollback to ", request.generation());
  return Propose(*record, OldContent(*record, *version), terms, rollback);
}

}  // namespace weir
