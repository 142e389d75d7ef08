#include "controlplane/server/control_plane.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "controlplane/model/pool_changes.h"
#include "controlplane/model/proto_time.h"
#include "controlplane/model/shard_changes.h"
#include "controlplane/model/version_changes.h"
#include "controlplane/server/change_log.h"
#include "controlplane/server/error_details.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/base/uuid.h"
#include "proxy/config/pool_message.h"

namespace weir {
namespace {

constexpr absl::Duration kDefaultWait = absl::Seconds(10);

std::vector<FieldViolation> Validate(const std::string& name, const v1::PoolSpec& spec) {
  std::vector<FieldViolation> violations;
  for (const FieldError& error : ReadPoolSpec(name, spec).errors) {
    violations.push_back({.field = error.field, .description = error.what});
  }
  return violations;
}

}  // namespace

ControlPlane::ControlPlane(const Parts& parts)
    : parts_(parts), publisher_(parts.cache, parts.proxies, parts.wake) {}

absl::Status ControlPlane::Load(KnownAddresses known) {
  addresses_.Remember(std::move(known));
  absl::StatusOr<std::vector<StoredPool>> pools = parts_.store.Load();
  if (!pools.ok()) return pools.status();
  const absl::StatusOr<std::vector<v1::PoolRecord>> deleted = parts_.store.ListDeleted();
  if (!deleted.ok()) return deleted.status();
  deletions_ = Deletions(*deleted);
  for (const v1::PoolRecord& record : *deleted) request_ids_.HoldAll(record);
  parts_.cache.SetDeleted(deletions_.Removals(), deletions_.ForgottenBefore());
  for (StoredPool& stored : *pools) {
    const std::string name = stored.record.name();
    const std::lock_guard lock(LockOf(name));
    addresses_.SetPool(stored.record);
    Adopt(name, MakeState(std::move(stored)));
  }
  return absl::OkStatus();
}

absl::Status ControlPlane::BeginNewHistories() {
  const Caller restorer{.name = "weir-control", .origin = "restored"};
  std::vector<PoolPtr> pools;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, pool] : pools_) pools.push_back(pool);
  }
  for (const PoolPtr& before : pools) {
    const std::string& name = before->record().name();
    const std::lock_guard lock(LockOf(name));
    const Change change = BeginNewHistory(before->record(), ContextOf(name, restorer));
    PoolPtr after = before;
    const absl::Status written = Write(change, before, after);
    if (after != before) LogChange(change, name, restorer.name, restorer.origin);
    if (!written.ok()) return written;
  }
  return absl::OkStatus();
}

absl::Status ControlPlane::Start() {
  const Moment due = parts_.moment() + Publisher::kLongestDelay;
  RefreshPools(due);
  RunDue(due);
  return parts_.store.Watch(*this);
}

// --- changes ---

void ControlPlane::CreatePool(const v1::CreatePoolRequest& request, const Caller& caller,
                              ChangeDone done) {
  RunRequest(request.name(), request, caller, weir::CreatePool, std::move(done));
}

void ControlPlane::UpdatePool(const v1::UpdatePoolRequest& request, const Caller& caller,
                              ChangeDone done) {
  RunRequest(request.name(), request, caller, weir::UpdatePool, std::move(done));
}

void ControlPlane::AddShard(const v1::AddShardRequest& request, const Caller& caller,
                            ChangeDone done) {
  RunRequest(request.pool(), request, caller, weir::AddShard, std::move(done));
}

void ControlPlane::RemoveShard(const v1::RemoveShardRequest& request, const Caller& caller,
                               ChangeDone done) {
  RunRequest(request.pool(), request, caller, weir::RemoveShard, std::move(done));
}

void ControlPlane::UpdateShard(const v1::UpdateShardRequest& request, const Caller& caller,
                               ChangeDone done) {
  RunRequest(request.pool(), request, caller, weir::UpdateShard, std::move(done));
}

void ControlPlane::DrainShard(const v1::DrainShardRequest& request, const Caller& caller,
                              ChangeDone done) {
  RunRequest(request.pool(), request, caller, weir::DrainShard, std::move(done));
}

void ControlPlane::ApprovePlan(const v1::ApprovePlanRequest& request, const Caller& caller,
                               ChangeDone done) {
  RunRequest(request.pool(), request, caller, weir::ApprovePlan, std::move(done));
}

void ControlPlane::DeletePool(const v1::DeletePoolRequest& request, const Caller& caller,
                              ChangeDone done) {
  RunRequest(request.name(), request, caller, weir::DeletePool, std::move(done));
}

void ControlPlane::Rollback(const v1::RollbackRequest& request, const Caller& caller,
                            ChangeDone done) {
  // The pool's lock is held: the versions are those of the pool that is changed, and not of one of
  // its name that was deleted meanwhile.
  const auto change = [this](const v1::PoolRecord* record, const v1::RollbackRequest& to,
                             const ChangeContext& context) -> ChangeResult {
    const absl::StatusOr<std::vector<v1::Version>> versions = parts_.store.ListVersions(to.pool());
    if (!versions.ok()) {
      return ChangeError{.code = versions.status().code(),
                         .message = std::string(versions.status().message())};
    }
    const auto version = std::ranges::find(*versions, to.generation(), &v1::Version::generation);
    return weir::Rollback(record, to, version == versions->end() ? nullptr : &*version, context);
  };
  RunRequest(request.pool(), request, caller, change, std::move(done));
}

// The copy of the request is the change's own: a change that waits for names outlives the call.
template <typename Request, typename Model>
void ControlPlane::RunRequest(const std::string& pool, Request request, const Caller& caller,
                              const Model& change, ChangeDone done) {
  // A UUID is the same one in any case (RFC 9562, 4).
  absl::AsciiStrToLower(request.mutable_options()->mutable_request_id());
  const v1::ChangeOptions options = request.options();
  const auto apply = [request = std::move(request), change](const v1::PoolRecord* record,
                                                            const ChangeContext& context) {
    return change(record, request, context);
  };
  Run(pool, options, caller, apply, std::move(done));
}

void ControlPlane::Run(const std::string& pool, const v1::ChangeOptions& options,
                       const Caller& caller, const Apply& apply, ChangeDone done) {
  std::set<std::string> names;
  absl::StatusOr<Outcome> outcome = TryCommit(pool, options, caller, apply, &names);
  if (names.empty()) return Answer(pool, options, std::move(outcome), std::move(done));
  Suspend(names, [this, pool, options, caller, apply, done = std::move(done)] {
    Answer(pool, options, TryCommit(pool, options, caller, apply, nullptr), done);
  });
}

void ControlPlane::Answer(const std::string& pool, const v1::ChangeOptions& options,
                          absl::StatusOr<Outcome> outcome, ChangeDone done) {
  if (!outcome.ok()) return done(outcome.status());
  const bool waits = options.wait() == v1::WAIT_ALL_CONNECTED && !options.validate_only() &&
                     !outcome->response.held() && !outcome->targets.empty();
  if (!waits) return done(std::move(outcome->response));
  const absl::Duration timeout =
      options.has_wait_timeout() ? FromProto(options.wait_timeout()) : kDefaultWait;
  publisher_.Await({.fleet = std::move(outcome->fleet),
                    .pool = pool,
                    .targets = std::move(outcome->targets),
                    .deadline = parts_.moment() + absl::ToChronoNanoseconds(timeout),
                    .done = [response = std::move(outcome->response),
                             done = std::move(done)](std::vector<v1::ProxyResult> results) mutable {
                      response.mutable_proxies()->Assign(results.begin(), results.end());
                      done(std::move(response));
                    }});
}

absl::StatusOr<ControlPlane::Outcome> ControlPlane::TryCommit(const std::string& pool,
                                                              const v1::ChangeOptions& options,
                                                              const Caller& caller,
                                                              const Apply& apply,
                                                              std::set<std::string>* names) {
  const std::lock_guard lock(LockOf(pool));
  // What its caller has given up is not to be made long after, over newer changes.
  if (caller.has_gone && caller.has_gone()) return absl::CancelledError("the caller has gone");
  const std::string& id = options.request_id();
  if (id.empty() || options.validate_only()) return Make(pool, std::nullopt, caller, apply, names);
  {
    const std::lock_guard ids_lock(mutex_);
    if (!request_ids_.Hold(id, pool)) return StatusOf(RequestIdTaken(id));
  }
  absl::StatusOr<Outcome> outcome = Make(pool, FindDeleted(pool, id), caller, apply, names);
  const std::lock_guard ids_lock(mutex_);
  request_ids_.Release(id);  // the record holds it, if it is remembered
  return outcome;
}

absl::StatusOr<ControlPlane::Outcome> ControlPlane::Make(const std::string& pool,
                                                         const std::optional<v1::PoolRecord>& gone,
                                                         const Caller& caller, const Apply& apply,
                                                         std::set<std::string>* names) {
  const PoolPtr before = Find(pool);
  const v1::PoolRecord* record = before == nullptr ? nullptr : &before->record();
  // Also when there is another pool of this name: the request was not about that one.
  if (gone) record = &*gone;
  ChangeResult result = apply(record, ContextOf(pool, caller));
  if (!result.ok()) return StatusOf(result.error());
  Change& change = result.change();
  if (before == nullptr) {
    if (absl::Status room = CheckRoomFor(change); !room.ok()) return room;
  }
  if (names != nullptr) *names = NamesToLookUp(record, change.record);
  if (names != nullptr && !names->empty()) return Outcome();
  PoolPtr after = before;
  const bool deletes = change.effect == ChangeEffect::kDeleted;
  if (change.write && change.effect == ChangeEffect::kMissing) {
    if (absl::Status stored = RememberMissing(change.record); !stored.ok()) return stored;
  } else if (change.write) {
    absl::Status stored = deletes ? Delete(change, before, after) : Write(change, before, after);
    if (after != before) LogChange(change, pool, caller.name, caller.origin);
    if (!stored.ok()) return stored;  // the change may be made all the same: DATA_LOSS
  }
  return OutcomeOf(std::move(change), deletes || gone.has_value(), after);
}

absl::Status ControlPlane::CheckRoomFor(const Change& change) const {
  const std::lock_guard lock(mutex_);
  const bool is_room = change.effect != ChangeEffect::kApplied || pools_.size() < parts_.max_pools;
  if (is_room) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      StrCat("there are ", pools_.size(), " pools; at most ", parts_.max_pools, " are allowed"));
}

ControlPlane::Outcome ControlPlane::OutcomeOf(Change change, bool is_gone,
                                              const PoolPtr& after) const {
  Outcome outcome;
  if (IsPool(change.record)) {
    const std::string& pool = change.record.name();
    const PoolResources resources = ResourcesOf(change.record, addresses_.Of(change.record));
    *outcome.response.mutable_pool() = PoolView(change.record, resources, KnowledgeNow());
    outcome.fleet = FleetOf(change.record.spec());
    // For what has become of a pool that is there again nobody waits.
    const bool is_back =
        is_gone && after != nullptr && after->record().uid() != change.record.uid();
    const bool is_told = !resources.pool.pool().slots().empty();
    if (is_gone && !is_back) {
      outcome.targets = {AckTargetOfRemoval(PoolId(pool)), AckTargetOfRemoval(EndpointsId(pool))};
    } else if (!is_gone && is_told) {
      outcome.targets = {AckTargetOf(resources.pool), AckTargetOf(resources.endpoints)};
    }
  }
  *outcome.response.mutable_plan() = std::move(change.plan);
  outcome.response.set_held(change.held);
  return outcome;
}

absl::Status ControlPlane::Write(const Change& change, const PoolPtr& before, PoolPtr& after) {
  const Moment began = parts_.moment();
  WriteResult result =
      parts_.store.Write(change.record, before == nullptr ? "" : before->stored.revision,
                         change.version ? &*change.version : nullptr);
  Observe(parts_.metrics.store_seconds, absl::FromChrono(parts_.moment() - began));
  if (result.is_made()) {
    if (change.effect == ChangeEffect::kHeld) parts_.metrics.guard_holds_total.Increment();
    if (change.effect == ChangeEffect::kApplied) parts_.metrics.changes_total.Increment();
    addresses_.SetPool(change.record);
    after = MakeState({.record = change.record, .revision = std::move(result.revision)});
    Adopt(change.record.name(), after);
  }
  return result.ok() ? result.status : StoreFailed(change.record.name(), result.status);
}

absl::Status ControlPlane::Delete(const Change& change, const PoolPtr& before, PoolPtr& after) {
  const std::string& pool = change.record.name();
  const Moment began = parts_.moment();
  const absl::Status deleted = parts_.store.Delete(change.record, before->stored.revision);
  Observe(parts_.metrics.store_seconds, absl::FromChrono(parts_.moment() - began));
  if (IsMade(deleted)) {
    parts_.metrics.changes_total.Increment();
    RememberDeletion(change.record);
    addresses_.RemovePool(pool);
    after = nullptr;
    Adopt(pool, nullptr);
  }
  return deleted.ok() ? deleted : StoreFailed(pool, deleted);
}

absl::Status ControlPlane::RememberMissing(const v1::PoolRecord& missing) {
  v1::PoolRecord joined;
  {
    const std::lock_guard lock(mutex_);
    joined = deletions_.JoinMissing(missing);
  }
  const absl::Status stored = parts_.store.Delete(joined, "");
  if (IsMade(stored)) RememberDeletion(joined);
  return stored.ok() ? stored : StoreFailed(joined.name(), stored);
}

void ControlPlane::RememberDeletion(const v1::PoolRecord& last) {
  const std::lock_guard lock(mutex_);
  request_ids_.HoldAll(last);
  for (const v1::PoolRecord& forgotten : deletions_.Add(last)) request_ids_.ReleaseAll(forgotten);
  parts_.cache.SetDeleted(deletions_.Removals(), deletions_.ForgottenBefore());
}

absl::Status ControlPlane::StoreFailed(const std::string& pool, const absl::Status& status) const {
  // A lost race, or an edit by hand in the way.
  if (absl::IsAborted(status) || absl::IsFailedPrecondition(status)) return status;
  parts_.metrics.store_errors_total.Increment();
  LOG_EVENT_LIMITED(LogLevel::kError, "store_failed", {"pool", pool},
                    {"error", FromAbsl(status.message())});
  return status;
}

void ControlPlane::Adopt(const std::string& pool, PoolPtr state) {
  const bool found = state != nullptr && HasFound(state->record());
  {
    const std::lock_guard lock(mutex_);
    if (state != nullptr) request_ids_.HoldAll(state->record());
    const PoolPtr before = std::exchange(pools_[pool], state);
    unreported_.insert(pool);
    if (before != nullptr) request_ids_.ReleaseAll(before->record());
    // After a restart, a write that failed, or when another pool was told of the address before.
    if (found) refreshes_.try_emplace(pool, parts_.moment() + Publisher::kLongestDelay);
    if (state == nullptr) {
      pools_.erase(pool);
      file_errors_.erase(pool);
    }
    parts_.metrics.pools.Set(static_cast<double>(pools_.size()));
  }
  publisher_.SetPool(pool, std::move(state), parts_.moment());
  MarkWatches(pool);
}

PoolPtr ControlPlane::MakeState(StoredPool stored) const {
  PoolResources resources = ResourcesOf(stored.record, addresses_.Of(stored.record));
  return std::make_shared<const PoolState>(
      PoolState{.stored = std::move(stored), .resources = std::move(resources)});
}

ChangeContext ControlPlane::ContextOf(const std::string& pool, const Caller& caller) const {
  absl::Time now = parts_.now();
  {
    // A pool that is created again is younger, whatever the clock says.
    const std::lock_guard lock(mutex_);
    const auto deleted = deletions_.LastOf(pool);
    if (deleted) now = std::max(now, FromProto(*deleted) + absl::Nanoseconds(1));
  }
  return {.now = ToProto(now),
          .actor = caller.name,
          .origin = caller.origin,
          .new_uid = RandomUuid(),
          .validate = Validate,
          .has_address = KnowledgeNow().has_address};
}

std::mutex& ControlPlane::LockOf(const std::string& pool) {
  return pool_locks_[std::hash<std::string>()(pool) % pool_locks_.size()];
}

PoolPtr ControlPlane::Find(const std::string& pool) const {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(pool);
  return found == pools_.end() ? nullptr : found->second;
}

std::optional<v1::PoolRecord> ControlPlane::FindDeleted(const std::string& pool,
                                                        const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const v1::PoolRecord* const found = deletions_.FindRequest(pool, id);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

// --- PoolStoreObserver ---

bool ControlPlane::OnDeclared(const std::string& pool, const v1::PoolSpec& spec) {
  const Caller editor{.name = "file", .origin = kOriginFile};
  const auto apply = [&](const v1::PoolRecord* record, const ChangeContext& context) {
    return DeclarePool(record, pool, spec, context);
  };
  std::set<std::string> names;
  absl::StatusOr<Outcome> outcome = TryCommit(pool, {}, editor, apply, &names);
  if (!names.empty()) {  // the watcher's thread, which may wait
    addresses_.Expect(names);
    parts_.wake();
    addresses_.AwaitKnown(names, parts_.look_up);
    outcome = TryCommit(pool, {}, editor, apply, nullptr);
    addresses_.StopExpecting(names);
  }
  if (outcome.ok()) {
    parts_.metrics.merges_total.Increment();
    SetFileErrors(pool, "");
  } else {
    OnRefused(pool, std::string(outcome.status().message()));
  }
  return outcome.ok();
}

void ControlPlane::OnRefused(const std::string& pool, const std::string& errors) {
  SetFileErrors(pool, errors);
  if (errors.empty()) return;
  parts_.metrics.merge_refusals_total.Increment();
  LOG_EVENT(LogLevel::kError, "pool_file_refused", {"pool", pool}, {"errors", errors});
}

void ControlPlane::SetFileErrors(const std::string& pool, const std::string& errors) {
  {
    const std::lock_guard lock(mutex_);
    if (!pools_.contains(pool)) return;
    if (errors.empty()) {
      if (file_errors_.erase(pool) == 0) return;
    } else if (std::exchange(file_errors_[pool], errors) == errors) {
      return;
    }
  }
  MarkWatches(pool);
}

void ControlPlane::OnChanged(const StoredPool& pool) {
  const std::string& name = pool.record.name();
  const std::lock_guard lock(LockOf(name));
  addresses_.SetPool(pool.record);
  Adopt(name, MakeState(pool));
}

void ControlPlane::OnDeleted(const std::string& pool) {
  const std::lock_guard lock(LockOf(pool));
  if (const PoolPtr before = Find(pool); before != nullptr) RememberDeletion(before->record());
  addresses_.RemovePool(pool);
  Adopt(pool, nullptr);
}

}  // namespace weir
