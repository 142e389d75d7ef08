// Where weir-control keeps its pools: the seam between the control plane and a place that lasts.
// EmbeddedStore (embedded_store.h) is a directory; Kubernetes' API server is to be another one.
//
// A store keeps and reports; it merges nothing and decides nothing. What people write by hand
// arrives as a new declaration (OnDeclared), and the server merges it and writes the outcome.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/weir/v1/admin.pb.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// A record as it is stored. `revision` is opaque and the same exactly for the same content, so a
// write that names it cannot undo another one.
struct StoredPool {
  v1::PoolRecord record;
  std::string revision;
};

// Told of what others do to the store's content. Called on a thread of the store's, one call at a
// time, without locks held: it may call the store, and may take its time. Outlives the store.
class PoolStoreObserver {
 public:
  virtual ~PoolStoreObserver() = default;

  // Somebody edited the declaration of a pool, or declared a new one, and it is valid by itself
  // (ReadPoolSpec). Nothing is stored yet: it is in force once a record with this spec is written.
  // An edit that is held (its origin is kOriginFile) and undone is told of, too: the spec is the
  // one in force then, and is settled once a record without the held change is written. Answers
  // whether the spec is in force or held now. If not, the store tells of it again: after a while,
  // after the pool's next write and after a restart; so it does when a write drops the held change
  // that the spec was.
  [[nodiscard]] virtual bool OnDeclared(const std::string& pool, const v1::PoolSpec& spec) = 0;

  // An edit was refused; the old state stays in force and the edit where it is, to be corrected.
  // `errors` has one line for each mistake: "FILE:LINE: what". Empty: what was refused last is
  // taken back, put right, or undone by the store; told once.
  virtual void OnRefused(const std::string& pool, const std::string& errors) = 0;

  // Another writer of the same store changed or deleted a record. Never called by a store that
  // admits one writer only.
  virtual void OnChanged(const StoredPool& pool) = 0;
  virtual void OnDeleted(const std::string& pool) = 0;
};

// Whether a change whose status this is was made: a failure of power may undo it (DATA_LOSS).
inline bool IsMade(const absl::Status& status) { return status.ok() || absl::IsDataLoss(status); }

// What became of a write: OK, or DATA_LOSS when it is made but may not survive a failure of power,
// with the new revision; else an error and nothing has changed.
struct WriteResult {
  absl::Status status;
  std::string revision = {};

  bool ok() const { return status.ok(); }
  bool is_made() const { return IsMade(status); }
};

// Thread-safe; calls block on disk or network. Errors: UNAVAILABLE and RESOURCE_EXHAUSTED when the
// store could not do it, and nothing has changed; ABORTED and FAILED_PRECONDITION as said.
// DATA_LOSS of a change: it is made but may not survive a failure of power; of other calls: what is
// stored is damaged.
class PoolStore {
 public:
  virtual ~PoolStore() = default;

  // Every record, by name.
  virtual absl::StatusOr<std::vector<StoredPool>> Load() = 0;

  // Begins to call `observer`, first with the edits that nobody has been told of. At most once.
  virtual absl::Status Watch(PoolStoreObserver& observer) = 0;

  // Stores the record and, unless null, its entry in the history (of the record's generation), both
  // or none. Durable when it returns OK, with the new revision. `expected_revision` is that of the
  // record it replaces, empty for a new pool; ABORTED when it is another one. FAILED_PRECONDITION
  // when `record` has a new spec while an edit of the declaration by hand waits that says something
  // else, or while the edit that said so, and is held, was taken back.
  virtual WriteResult Write(const v1::PoolRecord& record, std::string_view expected_revision,
                            const v1::Version* version) = 0;

  // Removes the pool and its history. `last` is its record, with the request that deletes it among
  // its requests, and the time as `changed`: it is remembered, durably and in the same step.
  // ABORTED as above. With an empty `expected_revision` there is no pool to remove: the record is
  // remembered alone, in place of the one of its uid that was.
  virtual absl::Status Delete(const v1::PoolRecord& last, std::string_view expected_revision) = 0;

  // The last records of the pools that were deleted last, at most kMaxDeleted, and those of names
  // that had no pool, as many besides (IsPool tells them apart), newest first. A name may be there
  // several times, and exist again.
  virtual absl::StatusOr<std::vector<v1::PoolRecord>> ListDeleted() = 0;

  // The history, newest first, at most kMaxVersions; empty for a pool that does not exist. What
  // cannot be read of it has Version.error.
  virtual absl::StatusOr<std::vector<v1::Version>> ListVersions(const std::string& pool) = 0;

  static constexpr size_t kMaxVersions = 20;
  static constexpr size_t kMaxDeleted = 256;
};

}  // namespace weir
