// Which shards of one pool are live: counts failures, ejects, has ejected shards probed, restores.
//
// Pure: events and moments in, actions out, for HealthOwner, who owns one per pool and calls it on
// its thread only. It simply ends; nothing is under way in it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proxy/base/clock.h"
#include "proxy/upstream/shard_failure.h"

namespace weir {

enum class ProbeResult : uint8_t {
  kServes,   // the shard said +PONG
  kFailed,   // anything else, or nothing in time
  kUnknown,  // the proxy could not ask
};

// The pool's keys of the same names.
struct HealthPolicy {
  bool auto_eject_hosts = false;
  uint32_t server_failure_limit = 2;  // >= 1
  absl::Duration server_retry_timeout = absl::Milliseconds(30000);
  uint32_t max_ejected_percent = 100;  // rounded down to whole shards
  // What a connection waits for before it reports a silence.
  Duration silence_time = Duration::zero();
};

// What the owner of a tracker has to do, in the order given.
struct HealthAction {
  enum class Kind : uint8_t {
    kEject,        // live() has changed: publish a ring without the shard
    kStartProbe,   // connect anew and ask; then OnProbeResult(probe_id, ...) exactly once
    kRestore,      // live() has changed: publish a ring with the shard
    kNoteFailing,  // for people: it would be ejected if that were allowed, and stays live
    kNoteServing,  // for people: a shard that was noted so has answered
  };
  Kind kind;
  size_t shard;  // index into the names that the tracker has now
  // kEject, kNoteFailing: the latest failure that counted, and how many there were in a row.
  ShardFailure failure = ShardFailure::kConnect;
  uint32_t failures = 0;
  // kEject: how long the shard is left alone before it is probed.
  Duration ejection_time = Duration::zero();
  // kStartProbe.
  uint64_t probe_id = 0;

  friend bool operator==(const HealthAction&, const HealthAction&) = default;
};

// The state machine of design "Health", per pool. Pure: no clock, thread or socket; moments are
// parameters. Used by the process's single health owner, on its thread only.
//
//   live --server_failure_limit failures in a row--> ejected --ejection time over--> probing
//     ^                                                 ^  ejection time again           |
//     |                                                 +------- probe failed -----------+
//     +--------------------------- probe succeeded --------------------------------------+
//
// The ejection time is server_retry_timeout. A shard that was restored and is ejected again offends
// repeatedly: its ejection time doubles each time, to at most 30 s (or server_retry_timeout, if
// that is longer). Having been live for that long since its restoration wipes its record. A failed
// probe does not double it: a shard that is merely down comes back within one ejection time of
// being up again, and harms nobody until then.
//
// One event of a shard is seen by many connections on all workers. So what is reported within
// kSameEvent after a failure that counted is the same failure, and of silences what is reported
// within silence_time: a stall counts by its length and not by the connections that it meets.
//
// Connections that were lost or silent are no proof: whoever closes them (CLIENT KILL, a failing
// middlebox, a shard that restarts) closes those of all workers at once, and a shard that is busy
// with a slow command answers soon. So a shard that would be ejected for a reset or a silence is
// probed first, while it stays live: +PONG breaks the row of failures, anything else ejects.
//
// The last live shard is never ejected, nor more than max_ejected_percent of all; such a shard
// stays live with its count and is ejected at its next failure for which there is room. Without
// auto_eject_hosts nothing ever is.
class HealthTracker {
 public:
  // Upper end of doubled ejection times, and the healthy time that ends the doubling.
  static constexpr Duration kMaxBackoff = std::chrono::seconds(30);
  // Shorter than the pause before a connection is tried again, so that each try counts.
  static constexpr Duration kSameEvent = std::chrono::milliseconds(40);
  // Below this a probe would be a busy loop; a shorter server_retry_timeout (0 is allowed) is taken
  // as this.
  static constexpr Duration kMinEjectionTime = std::chrono::milliseconds(10);

  using Actions = std::vector<HealthAction>;

  // All shards live. `shards`: names, unique, in the order of their indexes.
  HealthTracker(const HealthPolicy& policy, std::vector<std::string> shards);

  // A worker's connection to `shard` failed. Of an ejected shard it is old news and changes
  // nothing.
  [[nodiscard]] Actions OnFailure(size_t shard, ShardFailure kind, Moment now);

  // A worker got a reply from `shard` (reported for the first one after a failure): the row of
  // failures is broken. It never restores an ejected shard: a probe does.
  [[nodiscard]] Actions OnSuccess(size_t shard);

  // The answer to kStartProbe. kUnknown changes nothing: an ejected shard is probed again after its
  // ejection time, a live one at its next failure. An id that became void (by Update, or by an
  // ejection meanwhile) is ignored.
  [[nodiscard]] Actions OnProbeResult(uint64_t probe_id, ProbeResult result, Moment now);

  // Starts the probes that are due. Call at next_deadline() or later; more often does no harm.
  [[nodiscard]] Actions Tick(Moment now);

  // A new snapshot: other policy or shards. Shards of the same name keep their state under their
  // new index; an ejected one whose probe is under way is probed anew. Ejected shards for which
  // there is no more room (the live ones left, the percentage fell, ejection was switched off) are
  // restored, lowest index first.
  [[nodiscard]] Actions Update(const HealthPolicy& policy, std::vector<std::string> shards,
                               Moment now);

  // `shard` is served elsewhere from now on: what failed at the old place says nothing of the new
  // one. Its record is clean, and when it is ejected it is to be probed at once (next_deadline()).
  void OnMoved(size_t shard, Moment now);

  // live()[i]: shard i gets requests. At least one is.
  const std::vector<bool>& live() const { return live_; }
  size_t ejected() const { return ejected_; }

  // When Tick has something to do next; kNever while nothing is ejected.
  Moment next_deadline() const;

 private:
  enum class State : uint8_t { kLive, kEjected, kProbing };

  struct Shard {
    std::string name;
    State state = State::kLive;
    uint32_t failures = 0;                          // in a row, while live
    Moment failed_at = {};                          // the latest of them
    ShardFailure failure = ShardFailure::kConnect;  // its kind
    bool noted = false;                             // kNoteFailing was said of this row
    // Of the latest ejection; zero while the record is clean.
    Duration ejection_time = Duration::zero();
    Moment restored_at = {};
    Moment probe_at = kNever;  // kEjected only
    uint64_t probe_id = 0;     // of the probe under way, 0: none; kLive: before ejecting
  };

  // How long what is reported after a failure that counted is the same one.
  Duration SameEvent(ShardFailure kind) const;
  Duration FirstEjectionTime() const;
  Duration LongestEjectionTime() const;
  Duration NextEjectionTime(const Shard& shard, Moment now) const;
  size_t MaxEjected() const;
  bool MayEject() const;
  HealthAction StartProbe(size_t index);
  Actions OnSecondOpinion(size_t index, ProbeResult result, Moment now);
  Actions NoteFailing(size_t index);
  HealthAction Eject(size_t index, Moment now);
  HealthAction Restore(size_t index, Moment now);

  HealthPolicy policy_;
  std::vector<Shard> shards_;
  std::vector<bool> live_;
  size_t ejected_ = 0;  // in state kEjected or kProbing
  uint64_t last_probe_id_ = 0;
};

}  // namespace weir
