#include "controlplane/model/pool_changes.h"

#include <utility>

#include "controlplane/model/field_mask.h"
#include "controlplane/model/merge.h"
#include "controlplane/model/placement.h"
#include "controlplane/model/plan.h"
#include "controlplane/model/pool_spec.h"
#include "controlplane/model/proposal.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

std::vector<FieldViolation> CheckSpec(const std::string& name, const v1::PoolSpec& spec,
                                      const ChangeContext& context) {
  std::vector<FieldViolation> violations = context.validate(name, spec);
  std::string twice = DuplicateName(spec.servers());
  // The merge relies on it, whatever the validator says.
  if (violations.empty() && !twice.empty()) {
    violations.push_back({.field = "servers", .description = StrCat("found '", twice, "' twice")});
  }
  return violations;
}

// The same violations below the field that holds the spec in a request.
std::vector<FieldViolation> BelowSpec(std::vector<FieldViolation> violations) {
  for (FieldViolation& violation : violations) {
    if (violation.field != "name") violation.field.insert(0, "spec.");
  }
  return violations;
}

v1::PoolRecord NewRecord(const std::string& name, const ChangeContext& context) {
  v1::PoolRecord record;
  record.set_name(name);
  record.set_uid(context.new_uid);
  *record.mutable_created() = context.now;
  return record;
}

// A name that no pool can have needs no memory: a retry finds no pool either.
ChangeResult NothingToDelete(const std::string& name, const RequestTerms& terms,
                             const ChangeContext& context) {
  Change change{.effect = ChangeEffect::kMissing, .record = NewRecord(name, context)};
  *change.record.mutable_changed() = context.now;
  for (const FieldViolation& violation : context.validate(name, v1::PoolSpec())) {
    if (violation.field == "name") return change;
  }
  return Finish(std::move(change), terms);
}

// REQUIRES: `spec` is checked and normalised.
ChangeResult Declare(const v1::PoolRecord& before, v1::PoolSpec spec, const RequestTerms& terms,
                     const ChangeContext& context) {
  const v1::ShardMap& map = before.shard_map();
  Slots slots = MergeServers(map.merged_servers(), spec.servers(), map.slots());
  return Propose(before, {.spec = std::move(spec), .slots = std::move(slots), .declares = true},
                 terms, context);
}

}  // namespace

ChangeResult CreatePool(const v1::PoolRecord* record, const v1::CreatePoolRequest& request,
                        const ChangeContext& context) {
  RequestTerms terms = TermsOf(request);
  terms.needs_etag = false;
  const v1::PoolRecord created = NewRecord(request.name(), context);
  // A new pool has no etag: none that was given can be its own.
  if (auto early = AnswerEarly(record != nullptr ? record : &created, request.name(), terms)) {
    return *std::move(early);
  }
  if (record != nullptr) {
    return ChangeError{.code = absl::StatusCode::kAlreadyExists,
                       .message = StrCat("there is a pool '", request.name(),
                                         "' already; UpdatePool (`weirctl apply`) changes it")};
  }
  v1::PoolSpec spec = Normalised(request.spec());
  if (auto violations = CheckSpec(request.name(), spec, context); !violations.empty()) {
    return InvalidFields(BelowSpec(std::move(violations)));
  }
  return Declare(created, std::move(spec), terms, context);
}

ChangeResult UpdatePool(const v1::PoolRecord* record, const v1::UpdatePoolRequest& request,
                        const ChangeContext& context) {
  RequestTerms terms = TermsOf(request);
  if (auto early = AnswerEarly(record, request.name(), terms)) return *std::move(early);
  v1::PoolSpec spec = record->spec();
  if (auto bad = FindBadPath(request.update_mask(), spec); bad.has_value()) {
    return InvalidFields(
        {{.field = "update_mask",
          .description = StrCat("found '", *bad, "', expected paths of PoolSpec such as ",
                                "'policy.timeout' or 'servers'")}});
  }
  ApplyMask(request.update_mask(), request.spec(), spec);
  spec = Normalised(std::move(spec));
  if (auto violations = CheckSpec(request.name(), spec, context); !violations.empty()) {
    return InvalidFields(BelowSpec(std::move(violations)));
  }
  return Declare(*record, std::move(spec), terms, context);
}

ChangeResult DeclarePool(const v1::PoolRecord* record, const std::string& name,
                         const v1::PoolSpec& spec, const ChangeContext& context) {
  v1::PoolSpec normalised = Normalised(spec);
  if (auto violations = CheckSpec(name, normalised, context); !violations.empty()) {
    return InvalidFields(std::move(violations));
  }
  return Declare(record != nullptr ? *record : NewRecord(name, context), std::move(normalised), {},
                 context);
}

ChangeResult DeletePool(const v1::PoolRecord* record, const v1::DeletePoolRequest& request,
                        const ChangeContext& context) {
  RequestTerms terms = TermsOf(request);
  auto early = AnswerEarly(record, request.name(), terms);
  if (early.has_value()) {
    const bool missing = !early->ok() && early->error().code == absl::StatusCode::kNotFound;
    if (missing && request.allow_missing()) return NothingToDelete(request.name(), terms, context);
    return *std::move(early);
  }
  const v1::ShardMap& map = record->shard_map();
  v1::Plan plan = PlanMoves(PlacementOf(record->spec().policy(), map.slots()),
                            PlacementOf(record->spec().policy(), {}));
  plan.set_pool(record->name());
  plan.set_base_generation(map.generation());
  plan.add_changes(StrCat("delete pool ", record->name()));
  Change change{.effect = ChangeEffect::kDeleted, .write = true, .record = *record};
  *change.record.mutable_changed() = context.now;
  v1::Version& version = change.version.emplace();
  version.set_generation(map.generation());
  *version.mutable_time() = context.now;
  version.set_actor(context.actor);
  version.set_origin(context.origin);
  *version.mutable_plan() = plan;
  change.plan = std::move(plan);
  return Finish(std::move(change), terms);
}

}  // namespace weir
