// DIRECTORY/addresses.json: the addresses that host names had last, and those that serve shards
// whose names have none yet, so that a control plane that begins while no name server answers tells
// proxies what they know already.
//
// Functions on paths; they block on the disk. Not to be written by two threads at once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir {

// By endpoint, "host:port": "ip:port" and "[ipv6]:port", sorted.
using ResolvedAddresses = std::map<std::string, std::vector<std::string>>;

// By pool and shard: what serves it until its endpoint, a name, is resolved for the first time.
using KeptAddresses = std::map<std::string, std::map<std::string, std::vector<std::string>>>;

struct KnownAddresses {
  ResolvedAddresses resolved = {};
  KeptAddresses kept = {};

  friend bool operator==(const KnownAddresses&, const KnownAddresses&) = default;
};

// Nothing when there is no file. Errors as ReadWholeFile's (proxy/base/durable_file.h), and
// DATA_LOSS when it is damaged.
absl::StatusOr<KnownAddresses> ReadAddressFile(const std::string& directory);

// As WriteFileDurably.
absl::Status WriteAddressFile(const std::string& directory, const KnownAddresses& known);

}  // namespace weir
