// The proxies that are connected, and who waits for them to take a change over.
//
// Thread-safe. The streams' owner says who comes, who goes and who has answered; the admin API
// lists proxies and waits. A process that comes again while its old connection has not been found
// dead takes the place of the old one, whose stream is served on. Another process under the same
// node id takes nobody's place: both are listed and waited for.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "controlplane/cache/proxy_state.h"

namespace weir {

class ProxyRegistry;

namespace registry_internal {
struct Wait;
}  // namespace registry_internal

// A wait for the proxies of a pool. Destroying it cancels it: `done` does not begin any more,
// though when the wait ended at that very moment it may still be running on another thread.
class AckWait {
 public:
  ~AckWait();
  AckWait(const AckWait&) = delete;
  AckWait& operator=(const AckWait&) = delete;

  // The time is over: proxies that have not answered are TIMEOUT, and `done` runs unless it has.
  void Expire();

 private:
  friend class ProxyRegistry;
  AckWait(ProxyRegistry& registry, std::shared_ptr<registry_internal::Wait> wait);

  ProxyRegistry& registry_;
  const std::shared_ptr<registry_internal::Wait> wait_;
};

class ProxyRegistry {
 public:
  // One result for each proxy that was waited for, by node id.
  using AckWaitDone = std::function<void(std::vector<v1::ProxyResult> results)>;

  ProxyRegistry() = default;
  ProxyRegistry(const ProxyRegistry&) = delete;
  ProxyRegistry& operator=(const ProxyRegistry&) = delete;

  // After its first request, once. `instance` tells the processes apart that have one node id.
  // Returns another one that is connected under it; null when there is none, as there should be.
  // REQUIRES: the proxy is open.
  ProxyPtr Join(ProxyPtr proxy, std::string instance = {});
  // When its stream has ended; without effect for one that never joined.
  void Leave(const ProxyState& proxy);
  // After each request that ended a response or changed the subscription, and when there was
  // nothing to send: the state in the cache may be one that the proxy holds already.
  void Answered(const ProxyState& proxy);

  // By fleet, then node id, then address. An empty argument: of all fleets, whatever pools they
  // want.
  std::vector<ProxyPtr> Connected(std::string_view fleet = {}, std::string_view pool = {}) const;

  // Waits until each proxy that is connected and wants the pool has an outcome: ACKED, NACKED, or
  // GONE when it leaves. `done` runs once, without any lock, perhaps before AwaitAcks returns,
  // else on the thread of the last answer or of Expire. Call it when the cache has the targets.
  [[nodiscard]] std::unique_ptr<AckWait> AwaitAcks(std::string_view fleet, std::string_view pool,
                                                   std::vector<AckTarget> targets,
                                                   AckWaitDone done);

 private:
  friend class AckWait;
  using WaitPtr = std::shared_ptr<registry_internal::Wait>;
  struct Connection {
    ProxyPtr proxy;
    std::string instance;
  };
  // By fleet, node id and address. There is seldom more than one of a fleet and id.
  using Connections = std::multimap<std::tuple<std::string, std::string, std::string>, Connection>;

  // These need `mutex_`. Finished takes the waits that have no proxy left to wait for off the list.
  std::vector<Connections::iterator> OfNodeOf(const ProxyState& proxy);
  std::vector<ProxyPtr> ConnectedLocked(std::string_view fleet, std::string_view pool) const;
  void Gone(const ProxyState& proxy);
  [[nodiscard]] std::vector<WaitPtr> Finished();

  static void Finish(const std::vector<WaitPtr>& waits);

  mutable std::mutex mutex_;
  Connections proxies_;
  std::list<WaitPtr> waits_;
};

}  // namespace weir
