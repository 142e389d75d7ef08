// ShardNames: what the host names of shards stand for, kept fresh off the workers.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/resolver.h"
#include "proxy/config/snapshot.h"

namespace weir {

// One watch per host and port, however many pools and shards are there; it is looked up again at
// the shortest `resolve_interval` of those pools, and when a connection to it failed. Owned by the
// Server. How it ends: Stop, after which nothing is told, then the destructor.
class ShardNames {
 public:
  // The addresses of `endpoint`; empty: it has none so far: its name cannot be resolved, or it is
  // that of shards without a place. Runs on a resolver's thread or Apply's, one call at a time;
  // it posts and must not call back.
  using OnAddresses = std::function<void(const Endpoint& endpoint, const Addresses& addresses)>;

  ShardNames(Resolver::Options options, OnAddresses on_addresses);
  ~ShardNames();

  // Watches the names of these pools, and no others. What is known of them is told anew: call it
  // after the workers were told of the snapshot. Not after Stop; by one thread at a time.
  void Apply(const Snapshot& snapshot);

  // A connection to `endpoint` failed: look again soon. Any thread, at any time; a literal address
  // or unknown name is ignored.
  void Refresh(const Endpoint& endpoint);

  void Stop();

 private:
  struct Name {
    Endpoint endpoint;
    absl::Duration interval;
    std::string user;  // POOL/SHARD, the first that has it
    Addresses addresses;
    Resolver::Watch watch;
  };
  using Names = absl::flat_hash_map<std::string, Name>;  // by FormatEndpoint

  void OnAnswer(const std::string& key, const absl::StatusOr<Addresses>& answer);

  const OnAddresses on_addresses_;
  std::unique_ptr<Resolver> resolver_;
  // Held while on_addresses_ runs, so that an older answer never overtakes a newer one. Never held
  // while a watch is destroyed: that waits for OnAnswer.
  std::mutex mutex_;
  Names names_;  // guarded by mutex_
};

}  // namespace weir
