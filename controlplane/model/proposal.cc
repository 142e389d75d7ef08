#include "controlplane/model/proposal.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "controlplane/model/canonical.h"
#include "controlplane/model/describe.h"
#include "controlplane/model/etag.h"
#include "controlplane/model/guard.h"
#include "controlplane/model/pending.h"
#include "controlplane/model/placement.h"
#include "controlplane/model/plan.h"
#include "controlplane/model/pool_spec.h"
#include "controlplane/model/request_log.h"
#include "controlplane/model/resources.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_limits.h"

namespace weir {
namespace {

constexpr int64_t kLongestWaitSeconds = 300;

std::vector<FieldViolation> CheckOptions(const v1::ChangeOptions& options) {
  std::vector<FieldViolation> violations;
  if (!options.request_id().empty() && !IsUuid(options.request_id())) {
    violations.push_back({.field = "options.request_id",
                          .description = StrCat("found '", options.request_id(),
                                                "', expected a UUID of 8-4-4-4-12 hex digits")});
  }
  const double fraction = options.max_moved_fraction();
  if (!(fraction >= 0 && fraction <= 1)) {  // NaN too
    violations.push_back({.field = "options.max_moved_fraction",
                          .description = StrCat("found ", fraction, ", expected 0 to 1")});
  }
  if (!v1::WaitFor_IsValid(options.wait())) {
    violations.push_back({.field = "options.wait",
                          .description = StrCat("found ", static_cast<int>(options.wait()),
                                                ", expected WAIT_NONE or WAIT_ALL_CONNECTED")});
  }
  const auto& wait = options.wait_timeout();
  if (wait.seconds() < 0 || wait.nanos() < 0 || wait.seconds() > kLongestWaitSeconds ||
      (wait.seconds() == kLongestWaitSeconds && wait.nanos() > 0)) {
    violations.push_back(
        {.field = "options.wait_timeout", .description = "expected 0 to 300 seconds"});
  }
  return violations;
}

ChangeError NoSuchPool(const std::string& name) {
  return {.code = absl::StatusCode::kNotFound, .message = StrCat("there is no pool '", name, "'")};
}

std::optional<ChangeResult> FindReplay(const v1::PoolRecord& record, const RequestTerms& terms) {
  const std::string& id = terms.options.request_id();
  if (id.empty() || terms.options.validate_only()) return std::nullopt;
  const v1::RecordedRequest* request = FindRequest(record, id);
  if (request == nullptr) return std::nullopt;
  if (request->fingerprint() != terms.fingerprint) return RequestIdTaken(id);
  return Change{.effect = ChangeEffect::kReplayed,
                .held = request->held(),
                .record = record,
                .plan = AnsweredPlan(*request)};
}

std::optional<ChangeError> CheckEtag(const v1::PoolRecord& record, const RequestTerms& terms) {
  const std::string& etag = terms.options.etag();
  if (etag.empty()) {
    if (!terms.needs_etag || terms.options.force()) return std::nullopt;
    return InvalidFields({{.field = "options.etag",
                           .description = "expected the pool's etag as it was read, or `force`"}});
  }
  if (etag == EtagOf(record)) return std::nullopt;
  return ChangeError{
      .code = absl::StatusCode::kAborted,
      .message = StrCat("pool '", record.name(), "' has changed since it was read (generation ",
                        record.shard_map().generation(), "): read it again")};
}

// What makes two plans of one pool and base the same change.
std::string PlanId(const v1::PoolRecord& before, const v1::PoolSpec& spec, const Slots& slots) {
  v1::ShardMap only_slots;
  *only_slots.mutable_slots() = slots;
  return ShortHash(StrCat("plan ", before.uid(), " ", before.name(), " ",
                          before.shard_map().generation(), "\n", CanonicalEncoding(spec), "\n",
                          CanonicalEncoding(only_slots)));
}

bool IsSameContent(const v1::PoolRecord& before, const Proposal& proposal) {
  v1::ShardMap map;
  *map.mutable_slots() = proposal.slots;
  v1::ShardMap map_before;
  *map_before.mutable_slots() = before.shard_map().slots();
  // The first content of a pool is a change, whatever it is.
  return before.shard_map().generation() > 0 && IsSameSpec(before.spec(), proposal.spec) &&
         CanonicalEncoding(map) == CanonicalEncoding(map_before);
}

int64_t OnTheRing(const Slots& slots) {
  return std::ranges::count(slots, v1::SLOT_ACTIVE, &v1::Slot::state);
}

// From one ring to another, without a word of the guard.
v1::Plan PlanBetween(const v1::PoolRecord& before, const Placement& ring_before,
                     const Proposal& proposal, const Placement& ring_after) {
  const Slots& slots_before = before.shard_map().slots();
  v1::Plan plan = PlanMoves(ring_before, ring_after);
  plan.set_id(PlanId(before, proposal.spec, proposal.slots));
  plan.set_pool(before.name());
  plan.set_base_generation(before.shard_map().generation());
  plan.set_shards_before(static_cast<uint32_t>(OnTheRing(slots_before)));
  plan.set_shards_after(static_cast<uint32_t>(OnTheRing(proposal.slots)));
  for (std::string& line :
       DescribeChange(before.spec(), slots_before, proposal.spec, proposal.slots)) {
    plan.add_changes(std::move(line));
  }
  return plan;
}

// The slots in force as a plan that leads to `after` counts them: those that wait are among them,
// as if they had an address, as far as `after` keeps them. No key is theirs yet, so none moves when
// one of them goes or gets lighter; what a heavier one gets beyond what was planned is counted.
Slots AsPlanned(const Slots& before, const Slots& after) {
  const SlotsByName kept = IndexByName(after);
  Slots planned;
  for (const v1::Slot& slot : before) {
    if (slot.state() != v1::SLOT_PENDING) {
      *planned.Add() = slot;
      continue;
    }
    const auto found = kept.find(slot.name());
    if (found == kept.end() || !BelongsOnRing(*found->second)) continue;
    v1::Slot& counted = *planned.Add();
    counted = slot;
    counted.set_state(v1::SLOT_ACTIVE);
    counted.set_weight(std::min(slot.weight(), found->second->weight()));
  }
  return planned;
}

// A pool that goes to another fleet takes every key from the proxies that serve it, wherever the
// ring has them.
void CountLeavingFleet(const v1::PoolRecord& before, const Proposal& proposal, v1::Plan& plan) {
  const std::string fleet = FleetOf(before.spec());
  const bool leaves = OnTheRing(before.shard_map().slots()) > 0 && FleetOf(proposal.spec) != fleet;
  if (!leaves) return;
  plan.set_moved_fraction(1);
  plan.set_method(v1::PLAN_EXACT);
  plan.clear_estimated_because();
  plan.add_changes(StrCat("no proxy of fleet '", fleet, "' serves the pool any longer"));
}

v1::Plan MakePlan(const v1::PoolRecord& before, const Proposal& proposal,
                  const v1::ChangeOptions& options) {
  v1::Plan plan = PlanBetween(
      before,
      PlacementOf(before.spec().policy(), AsPlanned(before.shard_map().slots(), proposal.slots)),
      proposal, PlacementOf(proposal.spec.policy(), AsIfServed(proposal.slots)));
  CountLeavingFleet(before, proposal, plan);
  std::optional<double> requested;
  if (options.has_max_moved_fraction()) requested = options.max_moved_fraction();
  // The guard in force, so that a change cannot pass by loosening it.
  for (std::string& reason : HeldBecause(plan, before.spec().guard(), requested)) {
    plan.add_held_because(std::move(reason));
  }
  return plan;
}

v1::HeldContent MakeContent(const v1::PoolRecord& before, Proposal proposal) {
  v1::HeldContent content;
  const bool declares_anew =
      before.declared_generation() == 0 || !IsSameSpec(before.spec(), proposal.spec);
  content.set_declared_generation(before.declared_generation() + (declares_anew ? 1 : 0));
  v1::ShardMap& map = *content.mutable_shard_map();
  map.set_generation(before.shard_map().generation() + 1);
  map.set_declared_generation(content.declared_generation());
  *map.mutable_merged_servers() = proposal.spec.servers();
  *map.mutable_slots() = std::move(proposal.slots);
  SortByName(*map.mutable_slots());
  *content.mutable_spec() = std::move(proposal.spec);
  return content;
}

Change HoldContent(const v1::PoolRecord& before, v1::HeldContent content, v1::Plan plan,
                   const ChangeContext& context) {
  Change change{.effect = ChangeEffect::kHeld, .held = true, .record = before, .plan = plan};
  // The same change again changes nothing, and keeps whoever asked first.
  if (before.has_held() && before.held().plan().id() == plan.id()) return change;
  change.write = true;
  if (before.has_held()) change.dropped = before.held().plan().id();
  v1::HeldChange& held = *change.record.mutable_held();
  *held.mutable_plan() = std::move(plan);
  *held.mutable_since() = context.now;
  held.set_actor(context.actor);
  held.set_origin(context.origin);
  *change.record.mutable_held_content() = std::move(content);
  return change;
}

// Holds what `before` holds on, planned anew from `record`.
void HoldOn(const v1::PoolRecord& before, const ChangeContext& context, v1::PoolRecord& record) {
  v1::HeldContent content = before.held_content();
  v1::ShardMap& map = *content.mutable_shard_map();
  SettleStates(record.shard_map().slots(), context.has_address, *map.mutable_slots());
  map.set_generation(record.shard_map().generation() + 1);
  v1::Plan plan = MakePlan(record, {.spec = content.spec(), .slots = map.slots()}, {});
  // Whoever approves it decides about what it was held for.
  *plan.mutable_held_because() = before.held().plan().held_because();
  *record.mutable_held() = before.held();
  *record.mutable_held()->mutable_plan() = std::move(plan);
  *record.mutable_held_content() = std::move(content);
}

// For a declaration of what is in force already.
void TakeBackHeldSpec(Change& change) {
  v1::PoolRecord& record = change.record;
  if (!record.has_held() || IsSameSpec(record.held_content().spec(), record.spec())) return;
  change.dropped = record.held().plan().id();
  change.plan.add_changes(
      StrCat("drop held plan ", change.dropped, ": its declaration is taken back"));
  record.clear_held();
  record.clear_held_content();
  change.write = true;
}

}  // namespace

std::optional<ChangeResult> AnswerEarly(const v1::PoolRecord* record, const std::string& name,
                                        const RequestTerms& terms) {
  if (auto violations = CheckOptions(terms.options); !violations.empty()) {
    return InvalidFields(std::move(violations));
  }
  if (record == nullptr) return NoSuchPool(name);
  if (auto replay = FindReplay(*record, terms); replay.has_value()) return replay;
  if (auto error = CheckEtag(*record, terms); error.has_value()) return *std::move(error);
  return std::nullopt;
}

std::optional<ChangeError> CheckSlots(const v1::PoolRecord& before, const Slots& slots) {
  const auto refused = [&before](const auto&... why) {
    return ChangeError{.code = absl::StatusCode::kFailedPrecondition,
                       .message = StrCat("pool '", before.name(), "' ", why...)};
  };
  if (slots.size() > kMaxServers && slots.size() > before.shard_map().slots_size()) {
    return refused("would have ", slots.size(), " shards with those that were added live; at most ",
                   kMaxServers, " are allowed");
  }
  if (OnTheRing(slots) == 0 && OnTheRing(before.shard_map().slots()) > 0) {
    std::string waiting;
    for (const v1::Slot& slot : slots) {
      if (slot.state() == v1::SLOT_PENDING) StrAppend(&waiting, "; ", WaitsFor(slot));
    }
    return refused("would have no shard on the ring: add another one first, or delete the pool",
                   waiting);
  }
  return std::nullopt;
}

Change ApplyContent(const v1::PoolRecord& before, v1::HeldContent content, v1::Plan plan,
                    const ChangeContext& context) {
  Change change{.effect = ChangeEffect::kApplied, .write = true, .record = before};
  v1::PoolRecord& record = change.record;
  if (record.has_held() && record.held().plan().id() != plan.id()) {
    change.dropped = record.held().plan().id();
    plan.add_changes(StrCat("drop held plan ", change.dropped, ": its base is gone"));
  }
  record.clear_held();
  record.clear_held_content();
  *record.mutable_changed() = context.now;
  *record.mutable_spec() = std::move(*content.mutable_spec());
  record.set_declared_generation(content.declared_generation());
  *record.mutable_shard_map() = std::move(*content.mutable_shard_map());

  v1::Version& version = change.version.emplace();
  version.set_generation(record.shard_map().generation());
  *version.mutable_time() = context.now;
  version.set_actor(context.actor);
  version.set_origin(context.origin);
  *version.mutable_plan() = plan;
  *version.mutable_spec() = record.spec();
  *version.mutable_shard_map() = record.shard_map();
  change.plan = std::move(plan);
  return change;
}

Change PutOnRing(const v1::PoolRecord& before, Slots slots, const ChangeContext& context) {
  const v1::PoolPolicy& policy = before.spec().policy();
  Proposal proposal{.spec = before.spec(), .slots = std::move(slots)};
  v1::Plan plan = PlanBetween(before, PlacementOf(policy, before.shard_map().slots()), proposal,
                              PlacementOf(policy, proposal.slots));
  v1::PoolRecord base = before;
  base.clear_held();
  base.clear_held_content();
  Change change =
      ApplyContent(base, MakeContent(before, std::move(proposal)), std::move(plan), context);
  if (before.has_held()) HoldOn(before, context, change.record);
  return change;
}

ChangeResult Propose(const v1::PoolRecord& before, Proposal proposal, const RequestTerms& terms,
                     const ChangeContext& context) {
  SettleStates(before.shard_map().slots(), context.has_address, proposal.slots);
  if (auto error = CheckSlots(before, proposal.slots); error.has_value()) return *std::move(error);
  v1::Plan plan = MakePlan(before, proposal, terms.options);
  if (IsSameContent(before, proposal)) {
    Change change{.record = before, .plan = std::move(plan)};
    if (proposal.declares) TakeBackHeldSpec(change);
    return Finish(std::move(change), terms);
  }
  const bool held = plan.held_because_size() > 0;
  v1::HeldContent content = MakeContent(before, std::move(proposal));
  return Finish(held ? HoldContent(before, std::move(content), std::move(plan), context)
                     : ApplyContent(before, std::move(content), std::move(plan), context),
                terms);
}

Change Finish(Change change, const RequestTerms& terms) {
  if (terms.options.validate_only()) {
    change.write = false;
    return change;
  }
  if (terms.options.request_id().empty()) return change;
  v1::RecordedRequest request;
  request.set_id(terms.options.request_id());
  request.set_fingerprint(terms.fingerprint);
  request.set_generation(change.record.shard_map().generation());
  request.set_plan(change.plan.SerializeAsString());
  request.set_held(change.held);
  RememberRequest(std::move(request), change.record);
  change.write = true;
  return change;
}

}  // namespace weir
