// LivePools: which pools the process serves, of the configuration file and of the control plane.
//
// The file's pools change together or not at all; the control plane's each by itself: where one
// cannot be served, the others change nevertheless and it stays as it was. A pool of the one may
// have neither the name nor the address of one of the other.
//
// Owned by the ProxyProcess, used on the main thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proxy/config/pool_config.h"
#include "proxy/config/snapshot.h"
#include "proxy/server/listener_set.h"

namespace weir {

// A pool of the control plane that cannot be served as it was to be.
struct RefusedPool {
  std::string pool;
  std::string field;  // of its Pool resource; empty: the pool as a whole
  std::string what;
  bool lasting = false;  // true: of itself; else another pool or the system is in the way

  friend bool operator==(const RefusedPool&, const RefusedPool&) = default;
};

class LivePools {
 public:
  using Pools = std::map<std::string, PoolConfig>;
  // Puts a snapshot in force in every worker, or says whose address cannot be had; then nothing has
  // changed.
  using Apply = std::function<std::vector<ListenError>(const SnapshotPtr&)>;

  // Whose address could not be had if these were the pools to serve; changes nothing.
  using CheckListen = std::function<std::vector<ListenError>(ListenerSet::Pools)>;

  LivePools(Apply apply, CheckListen check_listen)
      : apply_(std::move(apply)), check_listen_(std::move(check_listen)) {}

  // The file's pools from now on. On an error, which has one line for each mistake, nothing has
  // changed.
  absl::Status SetFile(Config file);

  // These pools of the control plane change, those of `removed` go. On return everything but what
  // is returned is in force.
  std::vector<RefusedPool> ChangeControl(const Pools& changed,
                                         const std::set<std::string>& removed);

  // Whether ChangeControl would take some of these pools of the control plane, all of which are
  // wanted and were refused because something else was in the way.
  bool MayServeSomeOf(const Pools& wanted) const;

  // The file as it was when its pools changed last.
  const Config& file() const { return file_; }
  // What is in force; null before the first change.
  const SnapshotPtr& snapshot() const { return snapshot_; }
  // The control plane's part of it.
  const Pools& control() const { return control_; }

 private:
  // The control plane's pools while they are being put in force.
  struct Change;

  static void Refuse(const std::vector<ListenError>& errors, Change& change);
  absl::StatusOr<SnapshotPtr> Build(const Config& file, const Pools& control) const;
  bool HasInFile(const std::string& pool) const;
  void RefuseNames(Change& change) const;
  void RefuseAddresses(Change& change) const;
  void RefuseUnbuildable(Change& change) const;

  const Apply apply_;
  const CheckListen check_listen_;
  Config file_;
  Pools control_;
  SnapshotPtr snapshot_;
};

}  // namespace weir
