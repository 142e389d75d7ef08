#include "controlplane/model/resources.h"

#include <algorithm>
#include <set>
#include <utility>

#include "controlplane/model/canonical.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

v1::PoolResource PoolOf(const v1::PoolRecord& record) {
  v1::PoolResource pool;
  *pool.mutable_policy() = record.spec().policy();
  for (const v1::Slot& slot : record.shard_map().slots()) {
    if (slot.state() != v1::SLOT_ACTIVE) continue;
    v1::RingSlot& on_ring = *pool.add_slots();
    on_ring.set_name(slot.name());
    on_ring.set_weight(slot.weight());
  }
  std::ranges::sort(*pool.mutable_slots(), {}, &v1::RingSlot::name);
  return pool;
}

v1::EndpointsResource EndpointsOf(const v1::PoolRecord& record, const ObservedAddresses& observed) {
  v1::EndpointsResource endpoints;
  for (const v1::Slot& slot : record.shard_map().slots()) {
    v1::SlotEndpoints& of_slot = *endpoints.add_slots();
    of_slot.set_slot(slot.name());
    auto found = observed.find(slot.name());
    if (found == observed.end()) continue;
    const std::set<std::string> addresses(found->second.begin(), found->second.end());
    of_slot.mutable_addresses()->Assign(addresses.begin(), addresses.end());
  }
  std::ranges::sort(*endpoints.mutable_slots(), {}, &v1::SlotEndpoints::slot);
  return endpoints;
}

v1::Resource Envelope(const v1::PoolRecord& record, v1::ResourceType type, std::string version) {
  v1::Resource resource;
  resource.mutable_key()->set_type(type);
  resource.mutable_key()->set_name(record.name());
  resource.set_version(std::move(version));
  resource.set_uid(record.uid());
  resource.set_generation(record.shard_map().generation());
  *resource.mutable_created() = record.created();
  return resource;
}

// The first name that is not above the one before it; empty when all are.
template <typename Items, typename Name>
std::string FirstOutOfOrder(const Items& items, Name name) {
  auto found = std::ranges::adjacent_find(
      items, [&](const auto& a, const auto& b) { return (a.*name)() >= (b.*name)(); });
  return found == items.end() ? std::string() : ((*std::next(found)).*name)();
}

}  // namespace

PoolResources ResourcesOf(const v1::PoolRecord& record, const ObservedAddresses& observed) {
  v1::PoolResource pool = PoolOf(record);
  v1::EndpointsResource endpoints = EndpointsOf(record, observed);
  DCHECK(FindInconsistency(pool, endpoints).empty());
  PoolResources resources{
      .pool = Envelope(record, v1::RESOURCE_POOL, ContentVersion(pool)),
      .endpoints = Envelope(record, v1::RESOURCE_ENDPOINTS, ContentVersion(endpoints))};
  *resources.pool.mutable_pool() = std::move(pool);
  *resources.endpoints.mutable_endpoints() = std::move(endpoints);
  return resources;
}

v1::RemovedResource RemovalOf(const v1::PoolRecord& last) {
  v1::RemovedResource removal;
  removal.mutable_key()->set_type(v1::RESOURCE_POOL);
  removal.mutable_key()->set_name(last.name());
  removal.set_uid(last.uid());
  removal.set_generation(last.shard_map().generation() + 1);
  *removal.mutable_created() = last.created();
  return removal;
}

std::string FindInconsistency(const v1::PoolResource& pool,
                              const v1::EndpointsResource& endpoints) {
  if (std::string name = FirstOutOfOrder(pool.slots(), &v1::RingSlot::name); !name.empty()) {
    return StrCat("slot '", name, "' of the ring is not above the one before it");
  }
  if (std::string name = FirstOutOfOrder(endpoints.slots(), &v1::SlotEndpoints::slot);
      !name.empty()) {
    return StrCat("slot '", name, "' of the endpoints is not above the one before it");
  }
  for (const v1::RingSlot& slot : pool.slots()) {
    if (!std::ranges::binary_search(endpoints.slots(), slot.name(), {}, &v1::SlotEndpoints::slot)) {
      return StrCat("slot '", slot.name(), "' of the ring has no endpoints");
    }
  }
  return {};
}

std::string FleetOf(const v1::PoolSpec& spec) {
  return spec.fleet().empty() ? "default" : spec.fleet();
}

}  // namespace weir
