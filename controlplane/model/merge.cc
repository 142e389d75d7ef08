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

void AddDeclared(const v1::ShardSpec& declared, v1::Slot* live, Slots& slots) {
  if (live != nullptr) return TakeOver(declared, *live);
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

SlotsByName IndexByName(const Slots& slots) {
  SlotsByName by_name;
  by_name.reserve(static_cast<size_t>(slots.size()));
  for (const v1::Slot& slot : slots) by_name.emplace(slot.name(), &slot);
  return by_name;
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
  Slots slots;
  absl::flat_hash_map<std::string_view, v1::Slot*> in_slots;
  for (const v1::Slot& slot : in_force) {
    if (before.contains(slot.name()) && !after.contains(slot.name())) continue;
    v1::Slot& kept = *slots.Add();
    kept = slot;
    in_slots[kept.name()] = &kept;  // stays where it is when others are added
  }
  for (const auto& [name, spec] : after) {
    const auto found = in_slots.find(name);
    v1::Slot* const slot = found == in_slots.end() ? nullptr : found->second;
    if (auto known = before.find(name); known == before.end()) {
      AddDeclared(*spec, slot, slots);
    } else {
      ApplyEdits(*known->second, *spec, slot);
    }
  }
  SortByName(slots);
  return slots;
}

std::vector<std::string> Drift(const ShardSpecs& declared, const Slots& in_force) {
  const SpecsByName specs = ByName(declared);
  std::map<std::string_view, std::vector<std::string>> lines;
  const SlotsByName slots = IndexByName(in_force);
  for (const auto& [name, spec] : specs) {
    if (const auto slot = slots.find(name); slot != slots.end()) {
      AppendSlotDrift(*spec, *slot->second, lines[name]);
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
