#include "proxy/xds/snapshot_decoder.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/log.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"

namespace weir {
namespace {

constexpr std::string_view kSecretField = "policy.redis_auth_secret";

// All mistakes as one field and one detail.
std::pair<std::string, std::string> Summary(std::span<const FieldError> errors) {
  std::string detail = errors.front().what;
  for (const FieldError& error : errors.subspan(1)) {
    StrAppend(&detail, "; ", error.field, ": ", error.what);
  }
  return {errors.front().field, std::move(detail)};
}

using Places = absl::flat_hash_map<std::string, std::vector<Endpoint>>;

std::vector<FieldError> ReadEndpoints(const v1::EndpointsResource& resource, Places& places) {
  std::vector<FieldError> errors;
  for (int i = 0; i < resource.slots_size(); ++i) {
    const v1::SlotEndpoints& slot = resource.slots(i);
    std::vector<Endpoint>& addresses = places[slot.slot()];
    for (int j = 0; j < slot.addresses_size(); ++j) {
      absl::StatusOr<Endpoint> endpoint = ParseEndpoint(slot.addresses(j));
      if (endpoint.ok() && LiteralAddress(*endpoint).has_value()) {
        addresses.push_back(*std::move(endpoint));
      } else {
        errors.push_back({StrCat("slots[", i, "].addresses[", j, "]"),
                          StrCat("found '", slot.addresses(j),
                                 "', expected 'ip:port', '[ipv6]:port' or '/path'")});
      }
    }
  }
  return errors;
}

std::vector<Endpoint> AddressesOf(const ShardConfig& shard) {
  std::vector<Endpoint> addresses;
  if (shard.HasNoPlace()) return addresses;
  addresses.push_back(shard.endpoint);
  addresses.insert(addresses.end(), shard.more_endpoints.begin(), shard.more_endpoints.end());
  return addresses;
}

// The slots that have no place stay where they are served.
void KeepPlaces(const PoolConfig& served, Places& places) {
  for (const ShardConfig& shard : served.servers) {
    const auto [place, is_new] = places.try_emplace(shard.name);
    if (is_new) place->second = AddressesOf(shard);
  }
}

// The slot that has no place; empty when all have one.
std::string Place(const Places& places, PoolConfig& pool) {
  for (ShardConfig& shard : pool.servers) {
    const auto found = places.find(shard.name);
    if (found == places.end()) return shard.name;
    if (found->second.empty()) continue;
    shard.endpoint = found->second.front();
    shard.more_endpoints.assign(found->second.begin() + 1, found->second.end());
  }
  return {};
}

}  // namespace

void AddServedSlots(const PoolConfig& served, v1::Resource& endpoints) {
  auto& slots = *endpoints.mutable_endpoints()->mutable_slots();
  std::set<std::string> named;
  for (const v1::SlotEndpoints& slot : slots) named.insert(slot.slot());
  for (const ShardConfig& shard : served.servers) {
    if (!named.insert(shard.name).second) continue;
    endpoints.clear_version();
    v1::SlotEndpoints& slot = *slots.Add();
    slot.set_slot(shard.name);
    for (const Endpoint& address : AddressesOf(shard)) slot.add_addresses(FormatEndpoint(address));
  }
}

SnapshotDecoder::SnapshotDecoder(const HeldResources& held, const ServedPools& served,
                                 const ResourceChange& change)
    : held_(held), served_(served) {
  for (const HeldResourcePtr& resource : change.changed) {
    change_[IdOf(resource->key())] = resource;
  }
  for (const ResourceId& id : change.removed) change_[id] = nullptr;
  for (const auto& [id, resource] : change_) Touch(id);
}

void SnapshotDecoder::Touch(const ResourceId& id) {
  if (id.type != v1::RESOURCE_SECRET) {
    touched_.insert(id.name);
    return;
  }
  for (const auto* resources : {&held_, &std::as_const(change_)}) {
    for (const auto& [other, resource] : *resources) {
      if (resource == nullptr || other.type != v1::RESOURCE_POOL) continue;
      if (resource->pool().policy().redis_auth_secret() == id.name) touched_.insert(other.name);
    }
  }
}

const v1::Resource* SnapshotDecoder::Find(const ResourceId& id) const {
  if (const auto found = change_.find(id); found != change_.end()) return found->second.get();
  const auto found = held_.find(id);
  return found == held_.end() ? nullptr : found->second.get();
}

const PoolConfig* SnapshotDecoder::FindServed(const std::string& name) const {
  const auto found = served_.find(name);
  return found == served_.end() ? nullptr : &found->second;
}

DecodedPools SnapshotDecoder::Decode() {
  DecodedPools decoded;
  // What is dropped on the way touches its pools again.
  while (!touched_.empty()) {
    const std::string name = touched_.extract(touched_.begin()).value();
    DecodePool(name, decoded);
  }
  return decoded;
}

void SnapshotDecoder::DecodePool(const std::string& name, DecodedPools& decoded) {
  decoded.changed.erase(name);
  const v1::Resource* pool = Find(PoolId(name));
  if (pool == nullptr) {
    decoded.removed.insert(name);
    return;
  }
  PoolConfig config;
  const std::optional<Mistake> mistake = Read(name, *pool, config);
  if (!mistake.has_value()) {
    decoded.changed.emplace(name, std::move(config));
    return;
  }
  if (Drop(*mistake) || Refuse(name, mistake->field, mistake->detail)) return;
  // Something was removed that it needs: it stays as it is.
  LOG_EVENT(LogLevel::kWarn, "pool_not_updated", {"pool", name}, {"field", mistake->field},
            {"error", mistake->detail});
}

const std::string* SnapshotDecoder::FindPassword(const std::string& name,
                                                 const std::string& secret) const {
  if (const v1::Resource* found = Find(SecretId(secret)); found != nullptr) {
    return &found->secret().value();
  }
  // It was taken back: the Pool that came with it keeps it.
  const PoolConfig* served = FindServed(name);
  const bool is_held = !change_.contains(PoolId(name));
  return served != nullptr && is_held ? &served->redis_auth : nullptr;
}

std::optional<SnapshotDecoder::Mistake> SnapshotDecoder::Read(const std::string& name,
                                                              const v1::Resource& pool,
                                                              PoolConfig& config) const {
  const v1::Resource* endpoints = Find(EndpointsId(name));
  if (endpoints == nullptr) {
    return Mistake{PoolId(name), "", "found no Endpoints of its name, expected them with it"};
  }
  std::string_view password;
  if (const std::string& secret = pool.pool().policy().redis_auth_secret(); !secret.empty()) {
    const std::string* found = FindPassword(name, secret);
    if (found == nullptr) {
      return Mistake{PoolId(name), std::string(kSecretField),
                     StrCat("found '", secret,
                            "', expected a secret that the control plane has sent: there is no "
                            "such file in its --secrets-dir, or the connection has no TLS")};
    }
    password = *found;
  }
  CheckedPool checked = ReadPoolResource(name, pool.pool(), password);
  if (!checked.ok()) {
    auto [field, detail] = Summary(checked.errors);
    return Mistake{PoolId(name), std::move(field), std::move(detail)};
  }
  Places places;
  if (const auto errors = ReadEndpoints(endpoints->endpoints(), places); !errors.empty()) {
    auto [field, detail] = Summary(errors);
    return Mistake{EndpointsId(name), std::move(field), std::move(detail)};
  }
  if (const PoolConfig* served = FindServed(name); served != nullptr) KeepPlaces(*served, places);
  if (const std::string slot = Place(places, checked.pool); !slot.empty()) {
    return Mistake{PoolId(name), "slots",
                   StrCat("found '", slot, "', expected slots that its Endpoints name")};
  }
  config = std::move(checked.pool);
  return std::nullopt;
}

bool SnapshotDecoder::Drop(const Mistake& mistake) {
  const auto found = change_.find(mistake.id);
  if (found == change_.end() || found->second == nullptr) return false;
  v1::ResourceError& error = errors_.emplace_back();
  *error.mutable_key() = KeyOf(mistake.id);
  error.set_version(found->second->version());
  error.set_field(mistake.field);
  error.set_error_detail(mistake.detail);
  change_.erase(found);
  Touch(mistake.id);
  return true;
}

bool SnapshotDecoder::Refuse(const std::string& pool, std::string_view field,
                             std::string_view detail) {
  std::vector<ResourceId> blamed = {PoolId(pool), EndpointsId(pool)};
  if (const v1::Resource* resource = Find(PoolId(pool)); resource != nullptr) {
    blamed.push_back(SecretId(resource->pool().policy().redis_auth_secret()));
  }
  return std::ranges::any_of(blamed, [&](const ResourceId& id) {
    // The field is the Pool's.
    const bool is_pool = id.type == v1::RESOURCE_POOL;
    return Drop({id, is_pool ? std::string(field) : "",
                 is_pool ? std::string(detail) : StrCat("pool's ", field, ": ", detail)});
  });
}

}  // namespace weir
