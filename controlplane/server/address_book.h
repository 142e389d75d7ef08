// The addresses behind the endpoints of slots: literal ones stand for themselves, names for what
// was resolved last.
//
// Knows no resolver and no clock: whoever resolves asks which names are needed and tells what it
// found. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controlplane/model/resources.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

class AddressBook {
 public:
  // The pool's slots, and how often its policy wants names resolved. Names that no pool needs any
  // longer are forgotten.
  void SetPool(const v1::PoolRecord& record);
  void RemovePool(const std::string& pool);

  ObservedAddresses Of(const v1::PoolRecord& record) const;

  // The endpoints that are names, each with the shortest interval that a pool asks for.
  std::map<std::string, absl::Duration> Names() const;

  // `endpoint` is served by `addresses` now ("ip:port", sorted). Returns the pools that this
  // changes.
  std::vector<std::string> SetAddresses(const std::string& endpoint,
                                        std::vector<std::string> addresses);

 private:
  struct Need {
    std::set<std::string> endpoints;  // that are names
    absl::Duration interval;
  };

  void ForgetUnneeded();

  mutable std::mutex mutex_;
  std::map<std::string, Need> needs_;                         // by pool
  std::map<std::string, std::vector<std::string>> resolved_;  // by endpoint
};

}  // namespace weir
