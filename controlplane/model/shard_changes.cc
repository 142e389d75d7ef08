#include "controlplane/model/shard_changes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "controlplane/model/merge.h"
#include "controlplane/model/pending.h"
#include "controlplane/model/pool_spec.h"
#include "controlplane/model/proposal.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

ChangeResult ProposeSlots(const v1::PoolRecord& record, Slots slots, const RequestTerms& terms,
                          const ChangeContext& context) {
  return Propose(record, {.spec = record.spec(), .slots = std::move(slots)}, terms, context);
}

ChangeError NoSuchShard(const v1::PoolRecord& record, const std::string& shard) {
  return {.code = absl::StatusCode::kNotFound,
          .message = StrCat("pool '", record.name(), "' has no shard '", shard, "'")};
}

v1::ShardSpec SpecOf(const v1::Slot& slot) {
  v1::ShardSpec spec;
  spec.set_name(slot.name());
  spec.set_endpoint(slot.endpoint());
  spec.set_weight(slot.weight());
  return spec;
}

// What is wrong with the slot `name` of `slots`, checked as if all slots were declared, with paths
// below `prefix` in place of "servers[i].".
std::vector<FieldViolation> CheckSlot(const v1::PoolRecord& record, const Slots& slots,
                                      const std::string& name, const std::string& prefix,
                                      const ChangeContext& context) {
  v1::PoolSpec spec = record.spec();
  spec.clear_servers();
  std::string path;
  for (const v1::Slot& slot : slots) {
    if (slot.name() == name) path = StrCat("servers[", spec.servers_size(), "].");
    *spec.add_servers() = SpecOf(slot);
  }
  std::vector<FieldViolation> of_slot;
  for (FieldViolation& violation : context.validate(record.name(), spec)) {
    if (!violation.field.starts_with(path)) continue;
    violation.field.replace(0, path.size(), prefix);
    of_slot.push_back(std::move(violation));
  }
  return of_slot;
}

}  // namespace

ChangeResult AddShard(const v1::PoolRecord* record, const v1::AddShardRequest& request,
                      const ChangeContext& context) {
  const RequestTerms terms = TermsOf(request);
  if (auto early = AnswerEarly(record, request.pool(), terms)) return *std::move(early);
  const v1::ShardSpec& shard = request.shard();
  Slots slots = record->shard_map().slots();
  if (const v1::Slot* slot = FindSlot(slots, shard.name()); slot != nullptr) {
    const bool draining = slot->state() == v1::SLOT_DRAINING;
    return ChangeError{
        .code = absl::StatusCode::kAlreadyExists,
        .message = StrCat("pool '", record->name(), "' has a shard '", shard.name(), "' already",
                          draining ? "; it is draining, which can be undone" : "")};
  }
  v1::Slot& slot = *slots.Add();
  slot.set_name(shard.name());
  slot.set_endpoint(NormalisedEndpoint(shard.endpoint()));
  slot.set_weight(WeightOf(shard));
  slot.set_state(v1::SLOT_ACTIVE);
  slot.set_source(v1::SLOT_FROM_API);
  if (auto violations = CheckSlot(*record, slots, shard.name(), "shard.", context);
      !violations.empty()) {
    return InvalidFields(std::move(violations));
  }
  SortByName(slots);
  return ProposeSlots(*record, std::move(slots), terms, context);
}

ChangeResult RemoveShard(const v1::PoolRecord* record, const v1::RemoveShardRequest& request,
                         const ChangeContext& context) {
  const RequestTerms terms = TermsOf(request);
  if (auto early = AnswerEarly(record, request.pool(), terms)) return *std::move(early);
  Slots slots = record->shard_map().slots();
  if (!EraseSlot(slots, request.shard())) return NoSuchShard(*record, request.shard());
  return ProposeSlots(*record, std::move(slots), terms, context);
}

ChangeResult UpdateShard(const v1::PoolRecord* record, const v1::UpdateShardRequest& request,
                         const ChangeContext& context) {
  const RequestTerms terms = TermsOf(request);
  if (auto early = AnswerEarly(record, request.pool(), terms)) return *std::move(early);
  Slots slots = record->shard_map().slots();
  v1::Slot* slot = FindSlot(slots, request.shard());
  if (slot == nullptr) return NoSuchShard(*record, request.shard());
  if (!request.has_weight() && !request.has_endpoint()) {
    return InvalidFields(
        {{.field = "weight", .description = "expected a weight, an endpoint or both"}});
  }
  if (request.has_weight() && request.weight() == 0) {
    return InvalidFields({{.field = "weight", .description = "found 0, expected at least 1"}});
  }
  if (request.has_weight()) slot->set_weight(request.weight());
  if (request.has_endpoint()) slot->set_endpoint(NormalisedEndpoint(request.endpoint()));
  if (auto violations = CheckSlot(*record, slots, request.shard(), "", context);
      !violations.empty()) {
    return InvalidFields(std::move(violations));
  }
  return ProposeSlots(*record, std::move(slots), terms, context);
}

ChangeResult DrainShard(const v1::PoolRecord* record, const v1::DrainShardRequest& request,
                        const ChangeContext& context) {
  const RequestTerms terms = TermsOf(request);
  if (auto early = AnswerEarly(record, request.pool(), terms)) return *std::move(early);
  Slots slots = record->shard_map().slots();
  v1::Slot* slot = FindSlot(slots, request.shard());
  if (slot == nullptr) return NoSuchShard(*record, request.shard());
  if (slot->state() != v1::SLOT_ACTIVE && slot->state() != v1::SLOT_DRAINING) {
    return ChangeError{.code = absl::StatusCode::kFailedPrecondition,
                       .message = StrCat("shard '", request.shard(), "' is not on the ring and ",
                                         "was not drained from it")};
  }
  slot->set_state(request.undo() ? v1::SLOT_ACTIVE : v1::SLOT_DRAINING);
  return ProposeSlots(*record, std::move(slots), terms, context);
}

ChangeResult ActivateFound(const v1::PoolRecord& record, const ChangeContext& context) {
  Slots slots = record.shard_map().slots();
  SettleStates(record.shard_map().slots(), context.has_address, slots);
  const auto waiting = [](const Slots& some) {
    return std::ranges::count(some, v1::SLOT_PENDING, &v1::Slot::state);
  };
  if (waiting(slots) == waiting(record.shard_map().slots())) return Change{.record = record};
  return PutOnRing(record, std::move(slots), context);
}

}  // namespace weir
