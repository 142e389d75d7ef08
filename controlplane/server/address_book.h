// The addresses behind the endpoints of slots: literal ones stand for themselves, names for what
// was resolved last. A slot whose new name has not been resolved yet is served by what served it
// before.
//
// Knows no resolver and no disk: whoever resolves asks which names are needed and tells what it
// found and what it has let go of. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controlplane/model/resources.h"
#include "controlplane/store/address_file.h"
#include "proto/weir/v1/record.pb.h"
#include "proxy/base/clock.h"

namespace weir {

class AddressBook {
 public:
  // What the book of the process before knew (Resolved); what nobody needs is forgotten with the
  // first Forget.
  void Remember(KnownAddresses known);

  // The pool's slots, and how often its policy wants names resolved.
  void SetPool(const v1::PoolRecord& record);
  void RemovePool(const std::string& pool);

  ObservedAddresses Of(const v1::PoolRecord& record) const;

  // Whether there is an address behind `endpoint`, which needs to be no pool's.
  bool Knows(const std::string& endpoint) const;
  // Until StopExpecting these endpoints are needed as if a pool had them. Calls for one endpoint
  // add up.
  void Expect(const std::set<std::string>& endpoints);
  void StopExpecting(const std::set<std::string>& endpoints);
  // Waits until all of them are known, at most so long.
  void AwaitKnown(const std::set<std::string>& endpoints, Duration at_most) const;

  // The endpoints that are names, each with the shortest interval that a pool asks for, of at least
  // a second.
  std::map<std::string, absl::Duration> Names() const;
  // Only `names` are kept current from here on, and told of again when others are added: the rest
  // is forgotten unless a pool needs it. Called before the resolver looks after just these.
  void Forget(const std::map<std::string, absl::Duration>& names);

  // `endpoint` is served by `addresses` now ("ip:port", sorted). Returns the pools that this
  // changes. Kept while it is needed or one of Forget's names: it may be needed again before the
  // next Forget, and the resolver does not tell it a second time.
  std::vector<std::string> SetAddresses(const std::string& endpoint,
                                        std::vector<std::string> addresses);

  // Everything that was resolved, with what serves where nothing was yet, and a number that is
  // another one when it changes.
  KnownAddresses Resolved() const;
  uint64_t Changes() const;

 private:
  struct Place {
    std::string endpoint;
    std::vector<std::string> before;  // served the slot until `endpoint`, a name, is resolved
  };
  struct Need {
    std::map<std::string, Place> slots;  // by name
    absl::Duration interval;
  };

  // These need `mutex_`.
  std::vector<std::string> AddressesOf(const std::string& endpoint) const;
  std::vector<std::string> AddressesOf(const Place& place) const;
  // Of a slot that is to be at `endpoint`.
  std::vector<std::string> AddressesIn(const std::string& pool, const std::string& slot,
                                       const std::string& endpoint) const;
  bool IsNeeded(const std::string& endpoint) const {
    return users_.contains(endpoint) || expected_.contains(endpoint);
  }
  void RemoveUser(const std::string& pool);
  // What is to be kept over a restart of a pool's slots.
  KeptAddresses::mapped_type KeptOf(const Need& need) const;

  mutable std::mutex mutex_;
  mutable std::condition_variable found_;               // something was resolved
  std::multiset<std::string> expected_;                 // endpoints
  std::map<std::string, Need> needs_;                   // by pool
  std::map<std::string, std::set<std::string>> users_;  // pools by endpoint, as in needs_
  std::map<std::string, absl::Duration> watched_;       // the names of the last Forget
  ResolvedAddresses resolved_;
  KeptAddresses remembered_;  // by the process before, until its pool is set
  uint64_t changes_ = 0;
};

}  // namespace weir
