#include "controlplane/model/pending.h"

#include "proxy/base/strings.h"

namespace weir {

bool BelongsOnRing(const v1::Slot& slot) {
  return slot.state() == v1::SLOT_ACTIVE || slot.state() == v1::SLOT_PENDING;
}

void SettleStates(const Slots& before, const HasAddress& has_address, Slots& slots) {
  const SlotsByName old_slots = IndexByName(before);
  for (v1::Slot& slot : slots) {
    if (!BelongsOnRing(slot)) continue;
    const auto old_slot = old_slots.find(slot.name());
    const bool served =
        old_slot != old_slots.end() && old_slot->second->state() != v1::SLOT_PENDING;
    const bool on_ring = served || has_address == nullptr || has_address(slot.endpoint());
    slot.set_state(on_ring ? v1::SLOT_ACTIVE : v1::SLOT_PENDING);
  }
}

Slots AsIfServed(Slots slots) {
  for (v1::Slot& slot : slots) {
    if (slot.state() == v1::SLOT_PENDING) slot.set_state(v1::SLOT_ACTIVE);
  }
  return slots;
}

std::string WaitsFor(const v1::Slot& slot) {
  return StrCat("shard ", slot.name(), " waits for an address of ", slot.endpoint());
}

}  // namespace weir
