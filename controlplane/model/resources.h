// What proxies get of a pool: a pure function of what is declared, in force and observed, so that
// every replica, and the same one after a restart, makes the same resources with the same versions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/weir/v1/discovery.pb.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// The addresses that serve each slot now, by the slot's name.
using ObservedAddresses = std::map<std::string, std::vector<std::string>>;

// The two resources of a pool, named after it, with uid, generation and version. They belong
// together: FindInconsistency finds nothing in them.
struct PoolResources {
  v1::Resource pool;
  v1::Resource endpoints;
};

// The pool has the slots on the ring, the endpoints all that are in force, so that a slot that
// returns to the ring has its addresses already. Lists are sorted and without duplicates. A slot
// that nothing was observed of has no addresses; what is observed of other slots is left out.
PoolResources ResourcesOf(const v1::PoolRecord& record, const ObservedAddresses& observed);

// That a pool is gone, from its last record: above its last generation.
v1::RemovedResource RemovalOf(const v1::PoolRecord& last);

// What is wrong with a pool and its endpoints, in a sentence; empty when nothing is: both lists are
// sorted by name without duplicates, and every slot of the ring has an entry among the endpoints.
std::string FindInconsistency(const v1::PoolResource& pool, const v1::EndpointsResource& endpoints);

// The fleet whose proxies serve the pool: the declared one, or "default".
std::string FleetOf(const v1::PoolSpec& spec);

}  // namespace weir
