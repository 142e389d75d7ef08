#include "proxy/health/health_tracker.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "proxy/base/check.h"

namespace weir {

HealthTracker::HealthTracker(const HealthPolicy& policy, std::vector<std::string> shards)
    : policy_(policy), shards_(shards.size()), live_(shards.size(), true) {
  CHECK(!shards.empty());
  for (size_t i = 0; i < shards.size(); ++i) shards_[i].name = std::move(shards[i]);
}

HealthTracker::Actions HealthTracker::OnFailure(size_t shard, ShardFailure kind, Moment now) {
  CHECK_LT(shard, shards_.size());
  Shard& failed = shards_[shard];
  if (failed.state != State::kLive) return {};
  if (failed.failures > 0 && now - failed.failed_at < SameEvent(kind)) return {};
  // Saturates: a last live shard may fail for days.
  failed.failures = std::max(failed.failures, failed.failures + 1);
  failed.failed_at = now;
  failed.failure = kind;
  if (failed.failures < policy_.server_failure_limit) return {};
  if (!MayEject()) return NoteFailing(shard);
  if (kind == ShardFailure::kConnect) return {Eject(shard, now)};
  const bool asked = failed.probe_id != 0;
  if (asked) return {};
  return {StartProbe(shard)};
}

HealthTracker::Actions HealthTracker::OnSuccess(size_t shard) {
  CHECK_LT(shard, shards_.size());
  Shard& serving = shards_[shard];
  serving.failures = 0;
  if (serving.state != State::kLive || !std::exchange(serving.noted, false)) return {};
  return {{.kind = HealthAction::Kind::kNoteServing, .shard = shard}};
}

HealthTracker::Actions HealthTracker::OnProbeResult(uint64_t probe_id, ProbeResult result,
                                                    Moment now) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    if (shard.probe_id != probe_id || probe_id == 0) continue;
    shard.probe_id = 0;
    if (shard.state == State::kLive) return OnSecondOpinion(i, result, now);
    if (result == ProbeResult::kServes) return {Restore(i, now)};
    shard.state = State::kEjected;
    shard.probe_at = now + shard.ejection_time;
  }
  return {};
}

HealthTracker::Actions HealthTracker::OnSecondOpinion(size_t index, ProbeResult result,
                                                      Moment now) {
  Shard& shard = shards_[index];
  if (result == ProbeResult::kServes) shard.failures = 0;
  if (result != ProbeResult::kFailed) return {};
  // A reply may have come meanwhile, or the others may have left.
  if (shard.failures < policy_.server_failure_limit || !MayEject()) return {};
  return {Eject(index, now)};
}

HealthTracker::Actions HealthTracker::Tick(Moment now) {
  Actions actions;
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    if (shard.state != State::kEjected || now < shard.probe_at) continue;
    shard.state = State::kProbing;
    actions.push_back(StartProbe(i));
  }
  return actions;
}

HealthTracker::Actions HealthTracker::Update(const HealthPolicy& policy,
                                             std::vector<std::string> shards, Moment now) {
  HealthTracker next(policy, std::move(shards));
  next.last_probe_id_ = last_probe_id_;
  absl::flat_hash_map<std::string_view, const Shard*> known;
  for (const Shard& shard : shards_) known.emplace(shard.name, &shard);
  for (size_t i = 0; i < next.shards_.size(); ++i) {
    Shard& shard = next.shards_[i];
    const auto old = known.find(shard.name);
    if (old == known.end()) continue;
    shard = *old->second;
    shard.probe_id = 0;
    if (shard.state == State::kProbing) {
      shard.state = State::kEjected;
      shard.probe_at = now;
    }
    if (shard.state != State::kLive) {
      next.live_[i] = false;
      ++next.ejected_;
    }
  }
  Actions actions;
  const size_t allowed = policy.auto_eject_hosts ? next.MaxEjected() : 0;
  for (size_t i = 0; i < next.shards_.size() && next.ejected_ > allowed; ++i) {
    if (next.shards_[i].state != State::kLive) actions.push_back(next.Restore(i, now));
  }
  *this = std::move(next);
  return actions;
}

void HealthTracker::OnMoved(size_t shard, Moment now) {
  CHECK_LT(shard, shards_.size());
  Shard& moved = shards_[shard];
  moved.failures = 0;
  moved.noted = false;
  moved.probe_id = 0;
  if (moved.state == State::kLive) {
    moved.ejection_time = Duration::zero();
    return;
  }
  moved.state = State::kEjected;
  moved.ejection_time = FirstEjectionTime();
  moved.probe_at = now;
}

Moment HealthTracker::next_deadline() const {
  Moment next = kNever;
  if (ejected_ == 0) return next;
  for (const Shard& shard : shards_) {
    if (shard.state == State::kEjected) next = std::min(next, shard.probe_at);
  }
  return next;
}

Duration HealthTracker::SameEvent(ShardFailure kind) const {
  return kind == ShardFailure::kSilence ? std::max(kSameEvent, policy_.silence_time) : kSameEvent;
}

Duration HealthTracker::FirstEjectionTime() const {
  // A year is as good as for ever, and no sum of it overflows.
  const absl::Duration bounded = std::min(policy_.server_retry_timeout, absl::Hours(24 * 365));
  return std::max<Duration>(absl::ToChronoNanoseconds(bounded), kMinEjectionTime);
}

Duration HealthTracker::LongestEjectionTime() const {
  return std::max(FirstEjectionTime(), kMaxBackoff);
}

Duration HealthTracker::NextEjectionTime(const Shard& shard, Moment now) const {
  const bool offended_before = shard.ejection_time > Duration::zero();
  if (!offended_before) return FirstEjectionTime();
  const bool healthy_since = now - shard.restored_at >= LongestEjectionTime();
  if (healthy_since) return FirstEjectionTime();
  return std::clamp(2 * shard.ejection_time, FirstEjectionTime(), LongestEjectionTime());
}

size_t HealthTracker::MaxEjected() const {
  return std::min(shards_.size() - 1, shards_.size() * policy_.max_ejected_percent / 100);
}

bool HealthTracker::MayEject() const { return policy_.auto_eject_hosts && ejected_ < MaxEjected(); }

HealthAction HealthTracker::StartProbe(size_t index) {
  shards_[index].probe_id = ++last_probe_id_;
  return {.kind = HealthAction::Kind::kStartProbe, .shard = index, .probe_id = last_probe_id_};
}

HealthTracker::Actions HealthTracker::NoteFailing(size_t index) {
  Shard& shard = shards_[index];
  if (std::exchange(shard.noted, true)) return {};
  return {{.kind = HealthAction::Kind::kNoteFailing,
           .shard = index,
           .failure = shard.failure,
           .failures = shard.failures}};
}

HealthAction HealthTracker::Eject(size_t index, Moment now) {
  Shard& shard = shards_[index];
  shard.noted = false;
  shard.ejection_time = NextEjectionTime(shard, now);
  shard.probe_at = now + shard.ejection_time;
  shard.state = State::kEjected;
  shard.probe_id = 0;
  live_[index] = false;
  ++ejected_;
  return {.kind = HealthAction::Kind::kEject,
          .shard = index,
          .failure = shard.failure,
          .failures = std::exchange(shard.failures, 0),
          .ejection_time = shard.ejection_time};
}

HealthAction HealthTracker::Restore(size_t index, Moment now) {
  Shard& shard = shards_[index];
  shard.state = State::kLive;
  shard.failures = 0;
  shard.restored_at = now;
  live_[index] = true;
  --ejected_;
  return {.kind = HealthAction::Kind::kRestore, .shard = index};
}

}  // namespace weir
