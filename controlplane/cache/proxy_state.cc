#include "controlplane/cache/proxy_state.h"

#include <algorithm>
#include <map>
#include <utility>

#include "controlplane/model/proto_time.h"
#include "google/protobuf/util/message_differencer.h"
#include "proxy/base/strings.h"
#include "proxy/base/utf8.h"

namespace weir {
namespace {

using google::protobuf::util::MessageDifferencer;

// Never half a character: the rest of the message would be lost with it.
std::string Cut(std::string_view text, size_t bytes) { return std::string(CutUtf8(text, bytes)); }

v1::HeldResource HeldOf(const CachedResource& resource) {
  v1::HeldResource held;
  *held.mutable_key() = KeyOf(resource.id);
  held.set_version(resource.version());
  return held;
}

// What is remembered of a refusal. A secret's version would help to guess it.
v1::ResourceError Kept(const v1::ResourceError& error, const CachedResource& resource) {
  v1::ResourceError kept;
  *kept.mutable_key() = KeyOf(resource.id);
  if (resource.id.type != v1::RESOURCE_SECRET) kept.set_version(resource.version());
  kept.set_field(Cut(error.field(), ProxyState::kMaxErrorBytes));
  kept.set_error_detail(Cut(error.error_detail(), ProxyState::kMaxErrorBytes));
  return kept;
}

// Why a resource was left alone; `newer`: for which state, null when the proxy does not say.
v1::ResourceError LeftAlone(const v1::ResourceKey& key, std::string_view version,
                            std::string_view uid, uint64_t generation, const v1::HeldState* newer) {
  v1::ResourceError error;
  *error.mutable_key() = key;
  if (key.type() != v1::RESOURCE_SECRET) error.set_version(std::string(version));
  std::string held = "a newer state";
  if (newer != nullptr && newer->uid() == uid) {
    held = StrCat("generation ", newer->generation(), ", newer than ", generation);
  } else if (newer != nullptr) {
    held = "a pool of this name that was created later";
  }
  error.set_error_detail(
      StrCat("the proxy holds ", held, ": see docs/control_plane.md, \"Backups\""));
  return error;
}

// True when `resource` is what the target says, or of the same uid and not older.
bool Reaches(const v1::Resource& resource, const AckTarget& target) {
  return resource.version() == target.version ||
         (resource.uid() == target.uid && resource.generation() >= target.generation);
}

}  // namespace

AckTarget AckTargetOf(const v1::Resource& resource) {
  return {.id = IdOf(resource.key()),
          .version = resource.version(),
          .uid = resource.uid(),
          .generation = resource.generation()};
}

AckTarget AckTargetOfRemoval(ResourceId id) {
  AckTarget target;
  target.id = std::move(id);
  return target;
}

ProxyState::ProxyState(std::string address, absl::Time connected, bool secure)
    : address_(std::move(address)), connected_(connected), secure_(secure) {}

void ProxyState::Open(v1::Node node,
                      const google::protobuf::RepeatedPtrField<v1::HeldResource>& held) {
  std::lock_guard lock(mutex_);
  node_ = std::move(node);
  node_.DiscardUnknownFields();  // of any size, and shown to nobody
  for (const v1::HeldResource& resource : held) {
    ResourceId id = IdOf(resource.key());
    if (!Serves(id.type)) continue;
    Entry& entry = entries_[id];
    entry.held = MakeHeldElsewhere(std::move(id), resource.version());
  }
}

bool ProxyState::Serves(v1::ResourceType type) const {
  switch (type) {
    case v1::RESOURCE_POOL:
    case v1::RESOURCE_ENDPOINTS:
      return true;
    case v1::RESOURCE_SECRET:
      return secure_;
    default:  // of a later release, which another server may serve
      return false;
  }
}

void ProxyState::Subscribe(std::set<std::string, std::less<>> pools) {
  std::lock_guard lock(mutex_);
  pools_ = std::move(pools);
}

Difference ProxyState::Missing(const FleetView& view, size_t max_bytes) {
  std::lock_guard lock(mutex_);
  const std::set<std::string_view> secrets = WantedSecrets(view);
  Difference difference;
  size_t bytes = 0;
  size_t unknown = 0;
  auto entry = entries_.begin();
  for (const ResourcePtr& resource : view.resources) {
    if (!Covers(*resource, secrets)) continue;
    difference.system_version.Add(*resource);
    // Most are held as they are; that takes no comparison of names.
    if (entry != entries_.end() && entry->second.IsJust(resource)) {
      ++entry;
      continue;
    }
    while (entry != entries_.end() && entry->first < resource->id) {
      entry = Uncover(entry, view, difference, unknown);
    }
    const bool known = entry != entries_.end() && entry->first == resource->id;
    const bool misses = !known || Misses(entry->second, resource);
    if (known && !misses) difference.declined |= entry->second.declined != nullptr;
    if (known) ++entry;
    if (!misses) continue;
    const bool full = bytes >= max_bytes && difference.changed.back()->id.name != resource->id.name;
    if (full) difference.complete = false;
    if (!difference.complete) continue;
    bytes += resource->encoded.size();
    difference.changed.push_back(resource);
  }
  while (entry != entries_.end()) entry = Uncover(entry, view, difference, unknown);
  const auto is_secret = [](const v1::RemovedResource& removal) {
    return removal.key().type() == v1::RESOURCE_SECRET;
  };
  // A pool that is still to come, or that the proxy keeps as it was, may need it.
  if (!difference.changed.empty() || difference.declined ||
      !std::ranges::all_of(difference.removed, is_secret)) {
    std::erase_if(difference.removed, is_secret);
  }
  return difference;
}

bool ProxyState::Covers(const CachedResource& resource,
                        const std::set<std::string_view>& secrets) const {
  if (resource.id.type == v1::RESOURCE_SECRET) {
    return secure_ && (pools_.empty() || secrets.contains(resource.id.name));
  }
  return pools_.empty() || pools_.contains(resource.id.name);
}

std::set<std::string_view> ProxyState::WantedSecrets(const FleetView& view) const {
  std::set<std::string_view> secrets;
  for (const std::string& name : pools_) {
    const ResourcePtr pool = view.Find(PoolId(name));
    // The view keeps the pool, and with it the name.
    if (pool != nullptr) secrets.insert(pool->secret_name());
  }
  return secrets;
}

bool ProxyState::Misses(Entry& entry, const ResourcePtr& resource) const {
  if (entry.held == resource) return false;
  if (entry.held != nullptr && entry.held->version() == resource->version()) {
    entry.held = resource;
    entry.declined.reset();
    return false;
  }
  if (entry.declined == nullptr || entry.declined->resource == nullptr) return true;
  const CachedResource& declined = *entry.declined->resource;
  if (entry.declined->stale) return !SameState(declined.message, resource->message);
  return declined.version() != resource->version() || entry.declined->beside != Beside(*resource);
}

std::string ProxyState::Beside(const CachedResource& resource) const {
  switch (resource.id.type) {
    case v1::RESOURCE_POOL:
      return StrCat(HeldVersion(EndpointsId(resource.id.name)), " ",
                    HeldVersion(SecretId(resource.secret_name())));
    case v1::RESOURCE_ENDPOINTS:
      return std::string(HeldVersion(PoolId(resource.id.name)));
    default:
      return "";
  }
}

std::string_view ProxyState::HeldVersion(const ResourceId& id) const {
  const auto entry = entries_.find(id);
  const bool holds = entry != entries_.end() && entry->second.held != nullptr;
  return holds ? std::string_view(entry->second.held->version()) : "";
}

// It has something of a resource that it is not meant to have.
ProxyState::Entries::iterator ProxyState::Uncover(Entries::iterator entry, const FleetView& view,
                                                  Difference& difference, size_t& unknown) {
  if (entry->second.held == nullptr) return entries_.erase(entry);
  std::optional<v1::RemovedResource> removal = RemovalOf(entry->first, view);
  if (!removal.has_value() && ++unknown > kMaxUnknownHeld) {
    difference.declined = true;
    forgot_ = true;
    return entries_.erase(entry);
  }
  const Declined* const declined = entry->second.declined.get();
  const bool is_declined = removal.has_value() && declined != nullptr &&
                           declined->resource == nullptr &&
                           MessageDifferencer::Equals(declined->removal, *removal);
  if (!removal.has_value() || is_declined) {
    difference.declined = true;
  } else {
    difference.removed.push_back(*std::move(removal));
  }
  return ++entry;
}

std::optional<v1::RemovedResource> ProxyState::RemovalOf(const ResourceId& id,
                                                         const FleetView& view) {
  if (id.type != v1::RESOURCE_SECRET) {
    return view.places == nullptr ? std::nullopt : view.places->RemovalOf(id);
  }
  v1::RemovedResource removal;
  *removal.mutable_key() = KeyOf(id);
  return removal;
}

AckResult ProxyState::Answer(std::span<const ResourcePtr> changed,
                             std::span<const v1::RemovedResource> removed, const v1::Ack& ack) {
  std::map<ResourceId, const v1::ResourceError*> errors;
  for (const v1::ResourceError& error : ack.errors()) errors[IdOf(error.key())] = &error;
  std::map<ResourceId, const v1::HeldState*> stale;  // null: it does not say for what
  for (const v1::ResourceKey& key : ack.stale()) stale[IdOf(key)] = nullptr;
  for (const v1::HeldState& newer : ack.newer()) {
    const auto found = stale.find(IdOf(newer.key()));
    if (found != stale.end()) found->second = &newer;
  }

  AckResult result;
  std::lock_guard lock(mutex_);
  for (const ResourcePtr& resource : changed) {
    Entry& entry = entries_[resource->id];
    if (const auto error = errors.find(resource->id); error != errors.end()) {
      result.refused.push_back(Kept(*error->second, *resource));
      entry.declined = std::make_unique<Declined>(
          Declined{.resource = resource, .removal = {}, .error = result.refused.back()});
    } else if (const auto newer = stale.find(resource->id); newer != stale.end()) {
      const v1::Resource& offered = resource->message;
      result.stale.push_back(LeftAlone(offered.key(), offered.version(), offered.uid(),
                                       offered.generation(), newer->second));
      entry.declined = std::make_unique<Declined>(Declined{
          .resource = resource, .removal = {}, .stale = true, .error = result.stale.back()});
    } else {
      ++result.taken;
      entry = {.held = resource, .declined = nullptr};
    }
  }
  for (const v1::RemovedResource& removal : removed) {
    const ResourceId id = IdOf(removal.key());
    if (const auto newer = stale.find(id); newer != stale.end()) {
      result.stale.push_back(
          LeftAlone(removal.key(), "", removal.uid(), removal.generation(), newer->second));
      entries_[id].declined = std::make_unique<Declined>(Declined{
          .resource = nullptr, .removal = removal, .stale = true, .error = result.stale.back()});
    } else {
      result.taken += entries_.erase(id);
    }
  }
  for (const v1::ResourceError& error : result.refused) {
    Declined& declined = *entries_[IdOf(error.key())].declined;
    declined.beside = Beside(*declined.resource);
  }
  return result;
}

void ProxyState::Reported(const v1::Report& report, absl::Time now) {
  auto kept = std::make_unique<v1::Report>();
  kept->set_sessions(report.sessions());
  kept->set_requests_per_second(report.requests_per_second());
  kept->set_snapshot_generation(report.snapshot_generation());
  for (const bool ejected : {true, false}) {
    for (const v1::ShardReport& shard : report.shards()) {
      if (shard.ejected() != ejected) continue;
      if (static_cast<size_t>(kept->shards_size()) == kMaxReportedShards) break;
      v1::ShardReport& shown = *kept->add_shards();
      shown.set_pool(Cut(shard.pool(), kMaxNameBytes));
      shown.set_shard(Cut(shard.shard(), kMaxNameBytes));
      shown.set_ejected(ejected);
      if (shard.has_ejected_since()) {
        shown.mutable_ejected_since()->set_seconds(shard.ejected_since().seconds());
        shown.mutable_ejected_since()->set_nanos(shard.ejected_since().nanos());
      }
      shown.set_requests(shard.requests());
      shown.set_errors(shard.errors());
      shown.set_timeouts(shard.timeouts());
    }
  }
  std::lock_guard lock(mutex_);
  report_ = std::move(kept);
  reported_ = now;
}

std::string ProxyState::node_id() const {
  std::lock_guard lock(mutex_);
  return node_.id();
}

std::string ProxyState::fleet() const {
  std::lock_guard lock(mutex_);
  return node_.fleet();
}

bool ProxyState::Wants(std::string_view pool) const {
  std::lock_guard lock(mutex_);
  return pools_.empty() || pools_.contains(pool);
}

std::optional<v1::ProxyResult> ProxyState::OutcomeOf(std::span<const AckTarget> targets) const {
  std::lock_guard lock(mutex_);
  v1::ProxyResult result;
  result.set_node_id(node_.id());
  result.set_outcome(v1::PROXY_ACKED);
  bool answered = true;
  for (const AckTarget& target : targets) {
    if (Has(target)) continue;
    answered = false;
    const v1::ResourceError* const refusal = RefusalOf(target);
    if (refusal == nullptr) continue;
    result.set_outcome(v1::PROXY_NACKED);
    result.set_reason(refusal->field().empty()
                          ? refusal->error_detail()
                          : StrCat(refusal->field(), ": ", refusal->error_detail()));
    return result;
  }
  return answered ? std::optional(result) : std::nullopt;
}

bool ProxyState::Has(const AckTarget& target) const {
  const auto found = entries_.find(target.id);
  if (found == entries_.end()) return target.version.empty();
  const ResourcePtr& held = found->second.held;
  if (target.version.empty()) return held == nullptr;
  return held != nullptr && Reaches(held->message, target);
}

const v1::ResourceError* ProxyState::RefusalOf(const AckTarget& target) const {
  const auto found = entries_.find(target.id);
  const Declined* const declined = found == entries_.end() ? nullptr : found->second.declined.get();
  if (declined == nullptr) return nullptr;
  const bool is_of_target =
      declined->resource == nullptr
          ? target.version.empty()
          : !target.version.empty() && Reaches(declined->resource->message, target);
  return is_of_target ? &declined->error : nullptr;
}

ProxyState::Scope ProxyState::ScopeOf(const FleetView& view, std::string_view pool) {
  Scope scope{.pool = std::string(pool), .secret = {}};
  if (pool.empty()) return scope;
  const ResourcePtr resource = view.Find(PoolId(pool));
  if (resource != nullptr) scope.secret = resource->secret_name();
  return scope;
}

v1::Proxy ProxyState::Describe(const FleetView& view, std::string_view pool) const {
  const Scope scope = ScopeOf(view, pool);
  std::lock_guard lock(mutex_);
  v1::Proxy proxy;
  *proxy.mutable_node() = node_;
  proxy.set_address(address_);
  *proxy.mutable_connected() = ToProto(connected_);
  size_t bytes = 0;
  for (const auto& [id, entry] : entries_) {
    if (!scope.Has(id) || entry.declined == nullptr) continue;
    bytes += entry.declined->error.ByteSizeLong();
    if (bytes > kMaxDescribedBytes) break;
    *proxy.add_errors() = entry.declined->error;
  }
  for (const auto& [id, entry] : entries_) {
    const bool known = entry.held != nullptr && !entry.held->version().empty();
    if (!known || !scope.Has(id) || id.type == v1::RESOURCE_SECRET) continue;
    v1::HeldResource held = HeldOf(*entry.held);
    bytes += held.ByteSizeLong();
    if (bytes > kMaxDescribedBytes) break;
    *proxy.add_applied() = std::move(held);
  }
  if (report_ != nullptr) {
    *proxy.mutable_report() = *report_;
    *proxy.mutable_reported() = ToProto(reported_);
    auto& shards = *proxy.mutable_report()->mutable_shards();
    const auto is_other = [&](const v1::ShardReport& shard) {
      return !scope.pool.empty() && shard.pool() != scope.pool;
    };
    shards.erase(std::remove_if(shards.begin(), shards.end(), is_other), shards.end());
  }
  proxy.set_in_sync(InSync(view, scope));
  return proxy;
}

bool ProxyState::InSync(const FleetView& view, const Scope& scope) const {
  if (forgot_ && scope.pool.empty()) return false;
  const std::set<std::string_view> secrets = WantedSecrets(view);
  size_t covered = 0;
  for (const ResourcePtr& resource : view.resources) {
    if (!scope.Has(resource->id) || !Covers(*resource, secrets)) continue;
    ++covered;
    const auto entry = entries_.find(resource->id);
    if (entry == entries_.end() || entry->second.held == nullptr ||
        entry->second.held->version() != resource->version()) {
      return false;
    }
  }
  const auto is_looked_at = [&](const auto& entry) { return scope.Has(entry.first); };
  return covered == static_cast<size_t>(std::ranges::count_if(entries_, is_looked_at));
}

}  // namespace weir
