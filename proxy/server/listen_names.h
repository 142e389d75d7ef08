// ListenNames: the addresses of host names at which pools listen.
//
// Who opens a listener waits for its name. A pool that could not be served is looked at again and
// again, which may not wait: that look-up runs on a thread of its own, and what it found is what a
// listener is opened with then.
//
// Owned by the ListenerSet; main thread. How it ends: with its owner; a look-up that hangs is not
// waited for.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proxy/base/clock.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/resolver.h"
#include "proxy/base/socket_address.h"

namespace weir {

class ListenNames {
 public:
  explicit ListenNames(Resolver::Options options = {}) : options_(std::move(options)) {}

  // For a listener that is opened: the first address, of what Peek has found in the last 10 s, or
  // is finding. Else it asks and blocks, as SystemLookup does.
  absl::StatusOr<ResolvedAddress> Find(const Endpoint& endpoint);

  // For one that may be opened soon: the address last found, kUnavailable when there is none yet.
  // Asks for it in the background, without blocking.
  absl::StatusOr<ResolvedAddress> Peek(const Endpoint& endpoint);

 private:
  struct Name {
    bool asking = false;
    Moment answered = {};
    // The last answer, which stays while it asks again. Plain values: copies of a status share what
    // it refers to, which the other thread may be the last to let go of.
    std::optional<ResolvedAddress> address;
    std::string error;  // why there is none
  };

  // What is known of a name, without what is too old.
  std::optional<absl::StatusOr<ResolvedAddress>> Known(const Endpoint& endpoint);
  void Ask(const Endpoint& endpoint);
  void OnAnswer(const std::string& key, const absl::StatusOr<Addresses>& answer);

  const Resolver::Options options_;
  std::mutex mutex_;
  std::map<std::string, Name> names_;  // by FormatEndpoint; guarded by mutex_
  std::unique_ptr<Resolver>
      resolver_;  // made when the first name is asked for; last: it calls here
};

}  // namespace weir
