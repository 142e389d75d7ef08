// The part of ControlPlane that tells those who watch: calls of WatchPools, and the log.
#include <algorithm>
#include <utility>

#include "controlplane/server/control_plane.h"
#include "proxy/base/log.h"

namespace weir {
namespace {

// Clients take 4 MiB by default; a response ends when it is this large.
constexpr size_t kMaxResponseBytes = 2 << 20;

}  // namespace

std::shared_ptr<PoolWatch> ControlPlane::Watch(std::string fleet, std::function<void()> wake) {
  auto watch = std::make_shared<PoolWatch>(std::move(fleet), std::move(wake));
  const std::lock_guard lock(mutex_);
  watches_.push_back(watch);
  for (const auto& [name, pool] : pools_) watch->Mark(name);  // does not wake before a Take
  return watch;
}

std::vector<std::shared_ptr<PoolWatch>> ControlPlane::AliveWatches() {
  std::vector<std::shared_ptr<PoolWatch>> watches;
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [](const std::weak_ptr<PoolWatch>& watch) { return watch.expired(); });
  for (const std::weak_ptr<PoolWatch>& watch : watches_) {
    if (auto alive = watch.lock()) watches.push_back(std::move(alive));
  }
  return watches;
}

void ControlPlane::MarkWatches(const std::string& pool) {
  for (const std::shared_ptr<PoolWatch>& watch : AliveWatches()) watch->Mark(pool);
}

void ControlPlane::ReportWaits() {
  std::vector<PoolPtr> pools;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, pool] : pools_) {
      const bool names_secret = !pool->record().spec().policy().redis_auth_secret().empty();
      if (names_secret || unreported_.contains(name)) pools.push_back(pool);
    }
    unreported_.clear();
    std::erase_if(waits_, [this](const auto& entry) { return !pools_.contains(entry.first); });
  }
  for (const PoolPtr& pool : pools) ReportWaitsOf(*pool);
}

void ControlPlane::ReportWaitsOf(const PoolState& pool) {
  const std::string& name = pool.record().name();
  const std::vector<std::string> lines = WaitLines(pool.record(), pool.resources, KnowledgeNow());
  std::set<std::string> after(lines.begin(), lines.end());
  std::set<std::string> before;
  {
    const std::lock_guard lock(mutex_);
    if (!pools_.contains(name)) return;
    before = std::exchange(waits_[name], after);
    if (after.empty()) waits_.erase(name);
  }
  if (before == after) return;
  for (const std::string& line : after) {
    if (before.contains(line)) continue;
    LOG_EVENT_LIMITED(LogLevel::kWarn, "pool_waits", {"pool", name}, {"reason", line});
  }
  for (const std::string& line : before) {
    if (after.contains(line)) continue;
    LOG_EVENT_LIMITED(LogLevel::kNotice, "pool_waits_no_more", {"pool", name}, {"reason", line});
  }
  MarkWatches(name);
}

void ControlPlane::CompareWatches() {
  const std::vector<std::shared_ptr<PoolWatch>> watches = AliveWatches();
  if (watches.empty()) return;
  std::vector<PoolPtr> pools;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, pool] : pools_) pools.push_back(pool);
  }
  for (const PoolPtr& pool : pools) {
    if (!pool->IsOnRing()) continue;
    const std::string stand = ProxiesOf(*pool).SerializeAsString();
    for (const auto& watch : watches) watch->Compare(pool->record().name(), stand);
  }
}

std::optional<v1::WatchPoolsResponse> ControlPlane::NextFor(PoolWatch& watch) const {
  v1::WatchPoolsResponse response;
  size_t bytes = 0;
  while (bytes < kMaxResponseBytes) {
    const std::vector<std::string> taken = watch.Take(1);
    if (taken.empty()) break;
    const std::string& name = taken.front();
    const PoolPtr pool = Find(name);
    const bool shown = pool != nullptr && (watch.fleet().empty() || pool->fleet() == watch.fleet());
    if (shown) {
      v1::Pool& view = *response.add_changed();
      view = ViewWithProxies(*pool);
      watch.Told(name, view.status().proxies().SerializeAsString());
      bytes += response.changed().rbegin()->ByteSizeLong();
    } else if (watch.Forget(name)) {
      response.add_removed(name);
      bytes += name.size();
    }
  }
  if (!watch.synced && watch.empty()) {
    watch.synced = true;
    response.set_synced(true);
  }
  if (response.changed().empty() && response.removed().empty() && !response.synced()) {
    return std::nullopt;
  }
  return response;
}

}  // namespace weir
