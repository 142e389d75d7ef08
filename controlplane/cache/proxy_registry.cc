#include "controlplane/cache/proxy_registry.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

namespace weir {
namespace registry_internal {

// Guarded by the registry's mutex until it is taken off the list; then its taker's alone.
struct Wait {
  std::string pool;
  std::vector<AckTarget> targets;
  std::unordered_map<const ProxyState*, ProxyPtr> pending;
  std::vector<v1::ProxyResult> results;
  ProxyRegistry::AckWaitDone done;

  // True when nothing more is to be waited for from this proxy.
  bool Settle(const ProxyState& proxy) {
    std::optional<v1::ProxyResult> outcome = proxy.OutcomeOf(targets);
    if (!outcome.has_value()) return false;
    results.push_back(*std::move(outcome));
    return true;
  }

  // Ends it for one of them whatever it holds.
  void End(const ProxyState& proxy, v1::ProxyOutcome how) {
    if (pending.erase(&proxy) == 0) return;
    v1::ProxyResult& result = results.emplace_back();
    result.set_node_id(proxy.node_id());
    result.set_outcome(how);
  }
};

}  // namespace registry_internal

AckWait::AckWait(ProxyRegistry& registry, std::shared_ptr<registry_internal::Wait> wait)
    : registry_(registry), wait_(std::move(wait)) {}

AckWait::~AckWait() {
  std::lock_guard lock(registry_.mutex_);
  std::erase(registry_.waits_, wait_);
}

void AckWait::Expire() {
  {
    std::lock_guard lock(registry_.mutex_);
    if (std::erase(registry_.waits_, wait_) == 0) return;
    // It may have what is waited for without having been told so: see Answered.
    std::erase_if(wait_->pending,
                  [this](const auto& waiting) { return wait_->Settle(*waiting.second); });
    while (!wait_->pending.empty()) {
      const ProxyPtr proxy = wait_->pending.begin()->second;
      wait_->End(*proxy, v1::PROXY_TIMEOUT);
    }
  }
  ProxyRegistry::Finish({wait_});
}

std::vector<ProxyRegistry::Connections::iterator> ProxyRegistry::OfNodeOf(const ProxyState& proxy) {
  const std::string fleet = proxy.fleet();
  const std::string id = proxy.node_id();
  std::vector<Connections::iterator> found;
  for (auto it = proxies_.lower_bound({fleet, id, ""}); it != proxies_.end(); ++it) {
    if (std::get<0>(it->first) != fleet || std::get<1>(it->first) != id) break;
    found.push_back(it);
  }
  return found;
}

ProxyPtr ProxyRegistry::Join(ProxyPtr proxy, std::string instance) {
  ProxyPtr twin;
  std::vector<WaitPtr> finished;
  {
    std::lock_guard lock(mutex_);
    for (const Connections::iterator other : OfNodeOf(*proxy)) {
      if (other->second.instance != instance) {
        twin = other->second.proxy;
        continue;
      }
      Gone(*other->second.proxy);
      proxies_.erase(other);
    }
    auto key = std::tuple(proxy->fleet(), proxy->node_id(), proxy->address());
    proxies_.emplace(std::move(key),
                     Connection{.proxy = std::move(proxy), .instance = std::move(instance)});
    finished = Finished();
  }
  Finish(finished);
  return twin;
}

void ProxyRegistry::Leave(const ProxyState& proxy) {
  std::vector<WaitPtr> finished;
  {
    std::lock_guard lock(mutex_);
    for (const Connections::iterator place : OfNodeOf(proxy)) {
      if (place->second.proxy.get() != &proxy) continue;
      Gone(proxy);
      proxies_.erase(place);
    }
    finished = Finished();
  }
  Finish(finished);
}

void ProxyRegistry::Answered(const ProxyState& proxy) {
  std::vector<WaitPtr> finished;
  {
    std::lock_guard lock(mutex_);
    for (const WaitPtr& wait : waits_) {
      if (!wait->pending.contains(&proxy)) continue;
      if (wait->Settle(proxy)) {
        wait->pending.erase(&proxy);
      } else if (!proxy.Wants(wait->pool)) {
        wait->End(proxy, v1::PROXY_GONE);
      }
    }
    finished = Finished();
  }
  Finish(finished);
}

std::vector<ProxyPtr> ProxyRegistry::Connected(std::string_view fleet,
                                               std::string_view pool) const {
  std::lock_guard lock(mutex_);
  return ConnectedLocked(fleet, pool);
}

std::vector<ProxyPtr> ProxyRegistry::ConnectedLocked(std::string_view fleet,
                                                     std::string_view pool) const {
  std::vector<ProxyPtr> connected;
  for (const auto& [place, connection] : proxies_) {
    if (!fleet.empty() && std::get<0>(place) != fleet) continue;
    if (pool.empty() || connection.proxy->Wants(pool)) connected.push_back(connection.proxy);
  }
  return connected;
}

std::unique_ptr<AckWait> ProxyRegistry::AwaitAcks(std::string_view fleet, std::string_view pool,
                                                  std::vector<AckTarget> targets,
                                                  AckWaitDone done) {
  auto wait = std::make_shared<registry_internal::Wait>();
  wait->pool = pool;
  wait->targets = std::move(targets);
  wait->done = std::move(done);
  std::vector<WaitPtr> finished;
  {
    std::lock_guard lock(mutex_);
    for (const ProxyPtr& proxy : ConnectedLocked(fleet, pool)) {
      if (!wait->Settle(*proxy)) wait->pending.emplace(proxy.get(), proxy);
    }
    waits_.push_back(wait);
    finished = Finished();
  }
  Finish(finished);
  return std::unique_ptr<AckWait>(new AckWait(*this, std::move(wait)));
}

void ProxyRegistry::Gone(const ProxyState& proxy) {
  for (const WaitPtr& wait : waits_) wait->End(proxy, v1::PROXY_GONE);
}

std::vector<ProxyRegistry::WaitPtr> ProxyRegistry::Finished() {
  std::vector<WaitPtr> finished;
  std::erase_if(waits_, [&](const WaitPtr& wait) {
    if (!wait->pending.empty()) return false;
    finished.push_back(wait);
    return true;
  });
  return finished;
}

void ProxyRegistry::Finish(const std::vector<WaitPtr>& waits) {
  for (const WaitPtr& wait : waits) {
    std::ranges::sort(wait->results, {}, [](const v1::ProxyResult& result) -> const std::string& {
      return result.node_id();
    });
    wait->done(std::move(wait->results));
  }
}

}  // namespace weir
