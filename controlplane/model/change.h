// What the functions that change a pool take and answer: plain values, no gRPC. The functions are
// in pool_changes.h, shard_changes.h and version_changes.h.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "controlplane/model/pending.h"
#include "google/protobuf/timestamp.pb.h"
#include "proto/weir/v1/admin.pb.h"
#include "proto/weir/v1/pool.pb.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// A field of a request that cannot be accepted.
struct FieldViolation {
  std::string field;        // its path in the request, such as "spec.policy.timeout"
  std::string description;  // what was found and what was expected

  friend bool operator==(const FieldViolation&, const FieldViolation&) = default;
};

// Why nothing was changed. The code is one of NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT,
// FAILED_PRECONDITION, ABORTED; or the store's, whose versions a rollback reads.
struct ChangeError {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string message;                          // for people
  std::vector<FieldViolation> violations = {};  // with INVALID_ARGUMENT
};

// Checks a spec: what is wrong with it, by paths in it ("policy.timeout", "servers[2].endpoint"),
// or with the pool's name ("name"); nothing when it is good.
using SpecValidator =
    std::function<std::vector<FieldViolation>(const std::string& name, const v1::PoolSpec& spec)>;

// The origin of what people wrote into a file; DeclarePool's.
inline constexpr char kOriginFile[] = "file";

// Who makes a change and when; the world as far as a pure function may know it.
struct ChangeContext {
  google::protobuf::Timestamp now;
  std::string actor;    // who: the credential's name
  std::string origin;   // from where: "api ADDRESS" or kOriginFile
  std::string new_uid;  // for a pool that is created: never used before
  SpecValidator validate;
  HasAddress has_address = nullptr;
};

enum class ChangeEffect {
  kNothing,   // the pool has this content already
  kApplied,   // the pool's content changes
  kHeld,      // the guard holds it: only the record's held change is new
  kDeleted,   // the pool goes; the record is its last
  kMissing,   // there is no pool to delete: the record is no pool's, and remembers the request
  kReplayed,  // this request was answered before: the answer again, and the record as it is
};

// What a change comes to.
struct Change {
  ChangeEffect effect = ChangeEffect::kNothing;
  // Whether the record differs from the one that was given, and is to be written before the answer
  // is sent. Never for `validate_only`, for which everything else is as it would be.
  bool write = false;
  bool held = false;           // kHeld, or a replayed one that was held
  v1::PoolRecord record = {};  // after the change
  v1::Plan plan = {};
  std::string dropped = {};  // the id of the held plan that went for it; empty: none did
  // For the history, with kApplied and kDeleted.
  std::optional<v1::Version> version = {};
};

// A Change or why there is none.
class ChangeResult {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return change;` is what it is for.
  ChangeResult(Change change) : result_(std::move(change)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  ChangeResult(ChangeError error) : result_(std::move(error)) {}

  bool ok() const { return std::holds_alternative<Change>(result_); }
  // REQUIRES: ok().
  const Change& change() const { return std::get<Change>(result_); }
  Change& change() { return std::get<Change>(result_); }
  // REQUIRES: !ok().
  const ChangeError& error() const { return std::get<ChangeError>(result_); }

 private:
  std::variant<Change, ChangeError> result_;
};

// False for the record of a pool that was missing when it was to be deleted (kMissing).
bool IsPool(const v1::PoolRecord& record);

// Of deletions, newest first, of which the last `keep` of pools and as many of names that had none
// are remembered: the index of the oldest of a kind of which there are more, if there is one.
std::optional<size_t> FindSurplus(std::span<const v1::PoolRecord> deletions, size_t keep);

// ALREADY_EXISTS: the request id is another request's.
ChangeError RequestIdTaken(const std::string& id);

// INVALID_ARGUMENT with these violations, which also make the message.
ChangeError InvalidFields(std::vector<FieldViolation> violations);

}  // namespace weir
