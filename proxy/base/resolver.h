// Host names to addresses, off the workers: a name server that takes its time delays no request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"

namespace weir {

// In the order in which to try them; not empty where there is no error.
using Addresses = std::vector<ResolvedAddress>;

// Asks the system (getaddrinfo: /etc/hosts, DNS, ...) for TCP addresses of `host`, in the order of
// RFC 6724. Blocks, for up to what resolv.conf allows. Every error is kUnavailable and names the
// host.
absl::StatusOr<Addresses> SystemLookup(const std::string& host, uint16_t port);

// The first address of an endpoint, for what listens. Blocks as SystemLookup does when it is a
// name.
absl::StatusOr<ResolvedAddress> ResolveNow(const Endpoint& endpoint);

// A few threads that resolve names, once or again and again. The first runs from the start, others
// are added as they are needed: a name whose server does not answer holds up its own host, and
// other names only when as many lookups hang as there are threads. What is due first is looked up
// first. A host is asked for by one thread at a time; the answer is told to all who waited for it
// when it was asked for, whatever their ports, and who comes later waits for the next.
//
// Every method may be called from any thread, and from callbacks. Callbacks run on the resolver's
// threads, one at a time (they usually post to a loop), except that an address literal or Unix path
// needs no query: its callback runs before the call returns, on the caller's thread. A callback
// must not wait for a thread that may be destroying the Resolver or the callback's Watch.
//
// Ends when destroyed, by none of its callbacks: what is still unanswered is never answered, and no
// callback runs afterwards. A lookup that hangs is not waited for: its thread is left to end by
// itself and touches nothing of the caller's (but still runs `lookup`, which must not depend on
// anything shorter-lived than the process).
class Resolver {
 public:
  using Lookup = std::function<absl::StatusOr<Addresses>(const std::string& host, uint16_t port)>;
  using Callback = std::function<void(const absl::StatusOr<Addresses>&)>;

  struct Options {
    // Run by several threads at once, for different hosts. `port` is that of one of those who
    // wait: the others get the same addresses with their own.
    Lookup lookup = SystemLookup;
    size_t max_threads = 4;  // at least 1
    // Between two lookups of a watched name that has no address yet.
    absl::Duration retry_after = absl::Seconds(1);
    // Least time between lookups of a watched name, however often Refresh is called.
    absl::Duration min_refresh_gap = absl::Seconds(1);
  };

  class Watch;

  Resolver();
  explicit Resolver(Options options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Resolves once. `done` runs exactly once, unless the resolver is destroyed first.
  void Resolve(const Endpoint& endpoint, Callback done);

  // Resolves now and every `interval` (zero: only on Watch::Refresh). `on_change` runs with the
  // first addresses and whenever the set of addresses differs from the one last told; another order
  // of the same ones (as name servers rotate them) is no change. A failed lookup keeps the last
  // good addresses, and is logged (`user` says for whom; one error of a host once a minute, another
  // at once); as long as there are none, `on_change` runs with the error of
  // every attempt. A literal is told once and never changes.
  [[nodiscard]] Watch WatchEndpoint(const Endpoint& endpoint, absl::Duration interval,
                                    Callback on_change, std::string user = {});

 private:
  struct State;

  std::shared_ptr<State> state_;  // shared with the threads, which may outlive this object
};

// The caller's hold on a watch; may outlive the Resolver. Destroying it ends the watch: when that
// returns, on_change is not running (unless it is what destroys it) and never will again.
class Resolver::Watch {
 public:
  Watch() = default;  // watches nothing
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch();

  // Looks the name up again soon: a connection to its address failed. Cheap; calls are merged.
  void Refresh();

 private:
  friend class Resolver;
  Watch(std::weak_ptr<State> state, uint64_t id);
  void Cancel();

  std::weak_ptr<State> state_;
  uint64_t id_ = 0;
};

}  // namespace weir
