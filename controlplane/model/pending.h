// Slots that wait for their first address: in force, and off the ring until their endpoint has one.
// Pure.
#pragma once

#include <functional>
#include <string>

#include "controlplane/model/merge.h"
#include "proto/weir/v1/pool.pb.h"

namespace weir {

// Whether an address is known behind an endpoint, "host:port". Null: behind each.
using HasAddress = std::function<bool(const std::string& endpoint)>;

// It is on the ring, or waits to be.
bool BelongsOnRing(const v1::Slot& slot);

// Decides which of `slots`, of those that belong on the ring, are on it: what has been there
// before, whatever became of its address, and what has an address. The others wait (SLOT_PENDING).
// `before` are the slots in force.
void SettleStates(const Slots& before, const HasAddress& has_address, Slots& slots);

// As if all that wait had an address. Plans compare these, so that what waits has been planned,
// and approved, when it comes to the ring.
Slots AsIfServed(Slots slots);

// What the slot waits for, in a line for people.
std::string WaitsFor(const v1::Slot& slot);

}  // namespace weir
