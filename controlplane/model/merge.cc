#include "controlplane/model/merge.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using SpecsByName = std::map<std::string_view, const v1::ShardSpec*>;

SpecsByName ByName(const ShardSpecs& shards) {
  SpecsByName by_name;
  for (const v1::ShardSpec& shard : shards) by_name.emplace(shard.name(), &shard);
  return by_name;
}

void TakeOver(const v1::ShardSpec& declared, v1::Slot& slot) {
  slot.set_weight(WeightOf(declared));
  slot.set_endpoint(declared.endpoint());
  slot.set_source(v1::SLOT_FROM_SPEC);
}

void AddDeclared(const v1::ShardSpec& declared, Slots& slots) {
  if (v1::Slot* live = FindSlot(slots, declared.name()); live != nullptr) {
    TakeOver(declared, *live);
    return;
  }
  v1::Slot& slot = *slots.Add();
  slot.set_name(declared.name());
  slot.set_state(v1::SLOT_ACTIVE);
  TakeOver(declared, slot);
}

void ApplyEdits(const v1::ShardSpec& merged, const v1::ShardSpec& declared, v1::Slot* slot) {
  if (slot == nullptr) return;  // removed live
  if (WeightOf(merged) != WeightOf(declared)) slot->set_weight(WeightOf(declared));
  if (merged.endpoint() != declared.endpoint()) slot->set_endpoint(declared.endpoint());
}

std::string StateDrift(v1::SlotState state) {
  switch (state) {
    case v1::SLOT_DRAINING:
      return "draining";
    case v1::SLOT_EXCLUDED:
      return "excluded";
    default:
      return {};
  }
}

void AppendSlotDrift(const v1::ShardSpec& declared, const v1::Slot& slot,
                     std::vector<std::string>& lines) {
  if (slot.weight() != WeightOf(declared)) {
    lines.push_back(StrCat("shard ", slot.name(), ": weight ", slot.weight(), " in force, ",
                           WeightOf(declared), " declared"));
  }
  if (slot.endpoint() != declared.endpoint()) {
    lines.push_back(StrCat("shard ", slot.name(), ": endpoint ", slot.endpoint(), " in force, ",
                           declared.endpoint(), " declared"));
  }
  if (std::string state = StateDrift(slot.state()); !state.empty()) {
    lines.push_back(StrCat("shard ", slot.name(), ": ", state));
  }
}

}  // namespace

std::string DuplicateName(const ShardSpecs& shards) {
  std::set<std::string_view> names;
  for (const v1::ShardSpec& shard : shards) {
    if (!names.insert(shard.name()).second) return shard.name();
  }
  return {};
}

const v1::Slot* FindSlot(const Slots& slots, const std::string& name) {
  auto found = std::ranges::find(slots, name, &v1::Slot::name);
  return found == slots.end() ? nullptr : &*found;
}

v1::Slot* FindSlot(Slots& slots, const std::string& name) {
  return const_cast<v1::Slot*>(FindSlot(std::as_const(slots), name));
}

bool EraseSlot(Slots& slots, const std::string& name) {
  auto found = std::ranges::find(slots, name, &v1::Slot::name);
  if (found == slots.end()) return false;
  slots.erase(found);
  return true;
}

void SortByName(Slots& slots) { std::ranges::sort(slots, {}, &v1::Slot::name); }

Slots MergeServers(const ShardSpecs& merged, const ShardSpecs& declared, const Slots& in_force) {
  const SpecsByName before = ByName(merged);
  const SpecsByName after = ByName(declared);
  Slots slots = in_force;
  for (const auto& [name, spec] : before) {
    if (!after.contains(name)) EraseSlot(slots, spec->name());
  }
  for (const auto& [name, spec] : after) {
    auto known = before.find(name);
    if (known == before.end()) {
      AddDeclared(*spec, slots);
    } else {
      ApplyEdits(*known->second, *spec, FindSlot(slots, spec->name()));
    }
  }
  SortByName(slots);
  return slots;
}

std::vector<std::string> Drift(const ShardSpecs& declared, const Slots& in_force) {
  const SpecsByName specs = ByName(declared);
  std::map<std::string_view, std::vector<std::string>> lines;
  for (const auto& [name, spec] : specs) {
    if (const v1::Slot* slot = FindSlot(in_force, spec->name()); slot != nullptr) {
      AppendSlotDrift(*spec, *slot, lines[name]);
    } else {
      lines[name] = {StrCat("shard ", name, ": declared, but removed live")};
    }
  }
  for (const v1::Slot& slot : in_force) {
    if (specs.contains(slot.name()) || slot.source() == v1::SLOT_FROM_STATEFULSET) continue;
    lines[slot.name()] = {StrCat("shard ", slot.name(), ": added live (", slot.endpoint(),
                                 ", weight ", slot.weight(), "), not declared")};
  }
  std::vector<std::string> sorted;
  for (auto& [name, of_shard] : lines) {
    std::ranges::move(of_shard, std::back_inserter(sorted));
  }
  return sorted;
}

}  // namespace weir
