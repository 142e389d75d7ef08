// The addresses behind the host names of endpoints, kept current.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "proxy/base/resolver.h"

namespace weir {

// Resolves a set of endpoints, "host:port", again and again on threads of its own.
//
// Owned by the server; every method may be called from any one thread at a time and never blocks
// on a name server. `on_addresses` runs on one of the resolver's, one call at a time, with the
// first addresses of an endpoint and whenever they are others: "ip:port" and "[ipv6]:port", without
// repetitions, sorted, so that a name server that rotates its answer changes nothing. A failed
// lookup keeps the last addresses (and is logged); they never become none. Destroying it, or taking
// an endpoint out, waits for a callback that is running (so no lock of the callback's may be held),
// not for a name server.
class EndpointResolver {
 public:
  using Callback =
      std::function<void(const std::string& endpoint, const std::vector<std::string>& addresses)>;

  // `options` are for tests.
  explicit EndpointResolver(Callback on_addresses, Resolver::Options options = {});

  // The endpoints that are resolved from here on, each with the time between its lookups (zero:
  // once). Those that stay with the same time are not asked for anew. What is no "host:port" that
  // needs a name server is left out.
  void SetEndpoints(const std::map<std::string, absl::Duration>& endpoints);

  // Waits until every endpoint was looked up once, with or without success, at most so long;
  // whether that is so. May be called by any thread.
  bool WaitForFirstLookups(absl::Duration at_most);

 private:
  struct Watched {
    absl::Duration interval;
    Resolver::Watch watch;
  };

  void LookedUp(const std::string& endpoint);

  const Callback on_addresses_;
  std::mutex mutex_;                // of the next
  std::set<std::string> expected_;  // not looked up yet
  std::condition_variable looked_up_;
  Resolver resolver_;
  std::map<std::string, Watched> watched_;  // by endpoint
};

// The address of an endpoint that needs no name server, in the form above; "" when it needs one.
std::string LiteralAddressOf(std::string_view endpoint);

}  // namespace weir
