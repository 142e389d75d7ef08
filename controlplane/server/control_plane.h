// ControlPlane: what weir-control does to pools, without gRPC.
//
//   call or edit -> the record -> model (check, plan, guard) -> store -> memory -> publisher
//
// A change that brings names waits a moment for their addresses first (Parts::look_up), without a
// thread: RefreshPools makes it then. What has no address by then is in force and off the ring
// until SetAddresses tells of one.
//
// Changes of one pool are made one at a time, of different pools side by side; each is durable
// before it is answered. Reads answer from memory, ListVersions from the store.
//
// Thread-safe. Calls may block on the store and on a plan (tenths of a second at worst): they are
// made by threads that may. Time is a parameter of the publisher (RunDue).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/cache/proxy_registry.h"
#include "controlplane/cache/resource_cache.h"
#include "controlplane/model/change.h"
#include "controlplane/model/pool_view.h"
#include "controlplane/server/address_book.h"
#include "controlplane/server/deletions.h"
#include "controlplane/server/metrics.h"
#include "controlplane/server/name_waits.h"
#include "controlplane/server/pool_state.h"
#include "controlplane/server/pool_watch.h"
#include "controlplane/server/publisher.h"
#include "controlplane/server/request_ids.h"
#include "controlplane/store/address_file.h"
#include "controlplane/store/pool_store.h"
#include "proto/weir/v1/admin.pb.h"
#include "proxy/base/clock.h"

namespace weir {

// Who makes a change.
struct Caller {
  std::string name;    // the credential's
  std::string origin;  // "api ADDRESS"
  // Whether nobody waits for the answer any more; empty: somebody does. Asked when the change's
  // turn has come, before its answer.
  std::function<bool()> has_gone = {};
};

// Runs exactly once, perhaps before the call returns, else by RefreshPools; with `wait`, when the
// proxies have answered.
using ChangeDone = std::function<void(absl::StatusOr<v1::ChangeResponse>)>;

class ControlPlane final : private PoolStoreObserver {
 public:
  // All of these outlive the control plane, except that the store ends before it (its thread calls
  // here). Nothing is called after the store has ended.
  struct Parts {
    PoolStore& store;
    ResourceCache& cache;
    ProxyRegistry& proxies;
    ControlMetrics& metrics;
    std::function<absl::Time()> now;  // dates records
    std::function<Moment()> moment;   // measures: debounce, deadlines
    // Called, by any thread, when RunDue and RefreshPools have to be called earlier than they said,
    // or names are to be resolved that were not before; it must not call the control plane.
    std::function<void()> wake;
    // How long a change waits for the addresses of its new names before it is made without;
    // NameWaits::kMost of them wait at once, and one beyond them is made without at once.
    Duration look_up = Duration::zero();
    // A pool is created only below it, about: a proxy that holds all of them can come again within
    // DiscoveryStream::Limits and a message of 4 MiB.
    size_t max_pools = 10'000;
  };

  explicit ControlPlane(const Parts& parts);
  ~ControlPlane() override = default;
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // Loads every pool; `known` is Resolved() of the process before. Before
  // anything else.
  absl::Status Load(KnownAddresses known = {});
  // Makes every pool the beginning of a new history (BeginNewHistory), after a backup was restored.
  // After Load and before Start; what it has done when it fails stays.
  absl::Status BeginNewHistories();
  // Publishes every pool at once, with the addresses that are known by then, and begins to watch
  // the store. After Load.
  absl::Status Start();

  // --- changes; see admin.proto ---
  void CreatePool(const v1::CreatePoolRequest& request, const Caller& caller, ChangeDone done);
  void UpdatePool(const v1::UpdatePoolRequest& request, const Caller& caller, ChangeDone done);
  void DeletePool(const v1::DeletePoolRequest& request, const Caller& caller, ChangeDone done);
  void AddShard(const v1::AddShardRequest& request, const Caller& caller, ChangeDone done);
  void RemoveShard(const v1::RemoveShardRequest& request, const Caller& caller, ChangeDone done);
  void UpdateShard(const v1::UpdateShardRequest& request, const Caller& caller, ChangeDone done);
  void DrainShard(const v1::DrainShardRequest& request, const Caller& caller, ChangeDone done);
  void ApprovePlan(const v1::ApprovePlanRequest& request, const Caller& caller, ChangeDone done);
  void Rollback(const v1::RollbackRequest& request, const Caller& caller, ChangeDone done);

  // --- reads ---
  absl::StatusOr<v1::ListPoolsResponse> ListPools(const v1::ListPoolsRequest& request) const;
  absl::StatusOr<v1::Pool> GetPool(const v1::GetPoolRequest& request) const;
  absl::StatusOr<v1::ListVersionsResponse> ListVersions(
      const v1::ListVersionsRequest& request) const;
  absl::StatusOr<v1::ListProxiesResponse> ListProxies(const v1::ListProxiesRequest& request) const;
  absl::StatusOr<v1::ExplainKeyResponse> ExplainKey(const v1::ExplainKeyRequest& request) const;

  // Every pool that exists is marked already. The watch ends when the caller drops it.
  std::shared_ptr<PoolWatch> Watch(std::string fleet, std::function<void()> wake);
  // What `watch` is to be told next; nothing until it is woken. One call at a time for a watch.
  std::optional<v1::WatchPoolsResponse> NextFor(PoolWatch& watch) const;

  // Logs what pools have come to wait for, and wait for no more, and marks them for every watch. To
  // be called about once a second, when names have been looked up.
  void ReportWaits();
  // Marks for every watch the pools whose proxies stand otherwise than it was told. Looks at every
  // proxy of every pool while there is a watch: to be called about once a second.
  void CompareWatches();

  // --- time and addresses ---
  Moment RunDue(Moment now) { return publisher_.RunDue(now); }
  // Changes wait for no proxy and no address any longer; those that did are made by RefreshPools.
  void EndWaits();
  // The names whose addresses are to be kept current, with how often, and how to tell of them.
  std::map<std::string, absl::Duration> NamesToResolve() const { return addresses_.Names(); }
  // Only these are resolved from here on.
  void ResolvesOnly(const std::map<std::string, absl::Duration>& names) {
    addresses_.Forget(names);
  }
  // What is to be kept for the next process, and a number that tells when it is another.
  KnownAddresses Resolved() const { return addresses_.Resolved(); }
  uint64_t ResolvedChanges() const { return addresses_.Changes(); }
  // `endpoint` is served there now. The pools that this changes are changed by RefreshPools.
  void SetAddresses(const std::string& endpoint, std::vector<std::string> addresses);
  // Changes the pools for which new addresses came Publisher::kQuiet ago or earlier: once, however
  // many came. Shards that waited for theirs come to the ring, which is a change like any other.
  // Before that, makes the changes that have waited for names.
  // Returns when to be called next (kNever: when woken). Waits for changes of these pools that are
  // under way, and for the disk.
  Moment RefreshPools(Moment now);

 private:
  using Apply = std::function<ChangeResult(const v1::PoolRecord*, const ChangeContext&)>;

  // What a change came to, and how to wait for it.
  struct Outcome {
    v1::ChangeResponse response;
    std::vector<AckTarget> targets;  // empty: nothing to wait for
    std::string fleet;
  };

  // `change`: of the model, with the request in the middle.
  template <typename Request, typename Model>
  void RunRequest(const std::string& pool, Request request, const Caller& caller,
                  const Model& change, ChangeDone done);
  void Run(const std::string& pool, const v1::ChangeOptions& options, const Caller& caller,
           const Apply& apply, ChangeDone done);
  // When the proxies have answered, if the options say so.
  void Answer(const std::string& pool, const v1::ChangeOptions& options,
              absl::StatusOr<Outcome> outcome, ChangeDone done);
  // Makes the change, unless it brings names that are to be looked up first: then it is not made,
  // and `names` has them. Null: it is made as it is.
  absl::StatusOr<Outcome> TryCommit(const std::string& pool, const v1::ChangeOptions& options,
                                    const Caller& caller, const Apply& apply,
                                    std::set<std::string>* names);
  // These need the pool's lock. `gone` is of a pool that is gone and remembers the request. With an
  // error the change may be made all the same (DATA_LOSS): `after` is another one then. `names` is
  // TryCommit's.
  absl::StatusOr<Outcome> Make(const std::string& pool, const std::optional<v1::PoolRecord>& gone,
                               const Caller& caller, const Apply& apply,
                               std::set<std::string>* names);
  absl::Status CheckRoomFor(const Change& change) const;
  Outcome OutcomeOf(Change change, bool is_gone, const PoolPtr& after) const;
  absl::Status Write(const Change& change, const PoolPtr& before, PoolPtr& after);
  absl::Status Delete(const Change& change, const PoolPtr& before, PoolPtr& after);
  absl::Status RememberMissing(const v1::PoolRecord& missing);
  absl::Status StoreFailed(const std::string& pool, const absl::Status& status) const;
  void Adopt(const std::string& pool, PoolPtr state);
  PoolPtr MakeState(StoredPool stored) const;
  // Empty: the pool's file is in order.
  void SetFileErrors(const std::string& pool, const std::string& errors);
  // The pool as the API shows it; `ViewWithProxies` looks at every proxy of its fleet.
  v1::Pool ViewOf(const PoolState& pool) const;
  v1::Pool ViewWithProxies(const PoolState& pool) const;
  v1::PoolProxies ProxiesOf(const PoolState& pool) const;

  ChangeContext ContextOf(const std::string& pool, const Caller& caller) const;
  std::mutex& LockOf(const std::string& pool);
  PoolPtr Find(const std::string& pool) const;
  Knowledge KnowledgeNow() const {
    return {.has_address = [this](const auto& endpoint) { return addresses_.Knows(endpoint); },
            .has_secret = [this](const auto& name) { return parts_.cache.HasSecret(name); }};
  }
  void ReportWaitsOf(const PoolState& pool);
  std::vector<std::shared_ptr<PoolWatch>> AliveWatches();
  void MarkWatches(const std::string& pool);
  std::optional<v1::PoolRecord> FindDeleted(const std::string& pool, const std::string& id) const;
  void RememberDeletion(const v1::PoolRecord& last);

  // --- addresses of names ---
  // Those of `after`, and not of `before` (null: none), that have no address.
  std::set<std::string> NamesToLookUp(const v1::PoolRecord* before,
                                      const v1::PoolRecord& after) const;
  // Has `names` looked up, and calls `change` when they have addresses or are not to be waited for
  // any longer: from RefreshPools, or at once when too many changes wait already.
  void Suspend(const std::set<std::string>& names, NameWaits::Change change);
  std::vector<std::string> TakeRefreshes(Moment now);
  // Needs the pool's lock. Whether a shard that had waited is on the ring.
  bool ActivateFound(const PoolPtr& before);
  // Whether one of the slots that wait for an address has one.
  bool HasFound(const v1::PoolRecord& record) const;
  // Of slots that wait for an address, or keep their old one.
  std::set<std::string> UnknownEndpoints(const v1::PoolRecord& record) const;

  // --- PoolStoreObserver ---
  bool OnDeclared(const std::string& pool, const v1::PoolSpec& spec) override;
  void OnRefused(const std::string& pool, const std::string& errors) override;
  void OnChanged(const StoredPool& pool) override;
  void OnDeleted(const std::string& pool) override;

  const Parts parts_;
  Publisher publisher_;
  AddressBook addresses_;
  NameWaits name_waits_;
  std::array<std::mutex, 64> pool_locks_;  // by the name's hash; held while a change is made

  mutable std::mutex mutex_;  // of what follows; taken after a pool's lock
  std::map<std::string, PoolPtr, std::less<>> pools_;
  std::map<std::string, Moment> refreshes_;             // when due, by pool
  std::map<std::string, std::string> file_errors_;      // by pool, of those that exist
  std::set<std::string, std::less<>> unreported_;       // pools that ReportWaits is to look at
  std::map<std::string, std::set<std::string>> waits_;  // told of, by pool
  Deletions deletions_;
  RequestIds request_ids_;  // of pools_, deletions_ and the requests that are being made
  std::vector<std::weak_ptr<PoolWatch>> watches_;
};

}  // namespace weir
