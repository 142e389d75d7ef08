#include "proxy/xds/snapshot_decoder.h"

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

void Place(const Places& places, PoolConfig& pool) {
  for (ShardConfig& shard : pool.servers) {
    const auto found = places.find(shard.name);
    if (found == places.end() || found->second.empty()) continue;
    shard.endpoint = found->second.front();
    shard.more_endpoints.assign(found->second.begin() + 1, found->second.end());
  }
}

}  // namespace

SnapshotDecoder::SnapshotDecoder(const HeldResources& held, const ResourceChange& change)
    : held_(held) {
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

DecodedPools SnapshotDecoder::Decode() {
  DecodedPools decoded;
  for (const std::string& name : std::exchange(touched_, {})) DecodePool(name, decoded);
  return decoded;
}

void SnapshotDecoder::DecodePool(const std::string& name, DecodedPools& decoded) {
  while (true) {
    const v1::Resource* pool = Find(PoolId(name));
    const v1::Resource* endpoints = Find(EndpointsId(name));
    if (pool == nullptr) {
      decoded.removed.insert(name);
      return;
    }
    if (endpoints == nullptr) {
      decoded.waiting.insert(name);
      return;
    }
    PoolConfig config;
    const std::optional<Mistake> mistake = Read(name, *pool, *endpoints, config);
    if (!mistake.has_value()) {
      decoded.changed.emplace(name, std::move(config));
      return;
    }
    if (Drop(*mistake)) continue;
    // Of what is held already, as after the loss of a secret: the pool stays as it is.
    LOG_EVENT(LogLevel::kWarn, "pool_not_updated", {"pool", name}, {"field", mistake->field},
              {"error", mistake->detail});
    return;
  }
}

std::optional<SnapshotDecoder::Mistake> SnapshotDecoder::Read(const std::string& name,
                                                              const v1::Resource& pool,
                                                              const v1::Resource& endpoints,
                                                              PoolConfig& config) const {
  const std::string& secret = pool.pool().policy().redis_auth_secret();
  std::string_view password;
  if (!secret.empty()) {
    const v1::Resource* found = Find(SecretId(secret));
    if (found == nullptr) {
      return Mistake{PoolId(name), std::string(kSecretField),
                     StrCat("found '", secret,
                            "', expected a secret that the control plane has sent before; it "
                            "sends secrets over TLS only")};
    }
    password = found->secret().value();
  }
  CheckedPool checked = ReadPoolResource(name, pool.pool(), password);
  if (!checked.ok()) {
    auto [field, detail] = Summary(checked.errors);
    return Mistake{PoolId(name), std::move(field), std::move(detail)};
  }
  Places places;
  if (const auto errors = ReadEndpoints(endpoints.endpoints(), places); !errors.empty()) {
    auto [field, detail] = Summary(errors);
    return Mistake{EndpointsId(name), std::move(field), std::move(detail)};
  }
  config = std::move(checked.pool);
  Place(places, config);
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
  return true;
}

bool SnapshotDecoder::Refuse(const std::string& pool, std::string_view field,
                             std::string_view detail) {
  std::vector<ResourceId> blamed = {PoolId(pool), EndpointsId(pool)};
  if (const v1::Resource* resource = Find(PoolId(pool)); resource != nullptr) {
    blamed.push_back(SecretId(resource->pool().policy().redis_auth_secret()));
  }
  for (const ResourceId& id : blamed) {
    // The field is the Pool's.
    const bool is_pool = id.type == v1::RESOURCE_POOL;
    if (!Drop({id, is_pool ? std::string(field) : "",
               is_pool ? std::string(detail) : StrCat("pool's ", field, ": ", detail)})) {
      continue;
    }
    Touch(id);
    touched_.insert(pool);
    return true;
  }
  return false;
}

}  // namespace weir
