#include "proxy/health/health_tracker.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"

namespace weir {

std::string_view FailureKindName(FailureKind kind) {
  switch (kind) {
    case FailureKind::kConnect:
      return "connect";
    case FailureKind::kReset:
      return "reset";
    case FailureKind::kProtocolError:
      return "protocol_error";
    case FailureKind::kSilence:
      return "silence";
  }
  return "unknown";
}

HealthTracker::HealthTracker(const HealthPolicy& policy, std::vector<std::string> shards)
    : policy_(policy), shards_(shards.size()), live_(shards.size(), true) {
  CHECK(!shards.empty());
  for (size_t i = 0; i < shards.size(); ++i) shards_[i].name = std::move(shards[i]);
}

HealthTracker::Actions HealthTracker::OnFailure(size_t shard, FailureKind kind, Moment now) {
  CHECK_LT(shard, shards_.size());
  Shard& failed = shards_[shard];
  if (failed.state != State::kLive) return {};
  // Saturates: a last live shard may fail for days.
  failed.failures = std::max(failed.failures, failed.failures + 1);
  if (failed.failures < policy_.server_failure_limit) return {};
  if (!policy_.auto_eject_hosts || ejected_ >= MaxEjected()) return {};
  return {Eject(shard, kind, now)};
}

void HealthTracker::OnSuccess(size_t shard) {
  CHECK_LT(shard, shards_.size());
  shards_[shard].failures = 0;
}

HealthTracker::Actions HealthTracker::OnProbeResult(uint64_t probe_id, bool ok, Moment now) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    if (shard.state != State::kProbing || shard.probe_id != probe_id) continue;
    if (ok) return {Restore(i, now)};
    shard.state = State::kEjected;
    shard.probe_at = now + shard.ejection_time;
  }
  return {};
}

HealthTracker::Actions HealthTracker::Tick(Moment now) {
  Actions actions;
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    if (shard.state != State::kEjected || now < shard.probe_at) continue;
    shard.state = State::kProbing;
    shard.probe_id = ++last_probe_id_;
    actions.push_back(
        {.kind = HealthAction::Kind::kStartProbe, .shard = i, .probe_id = shard.probe_id});
  }
  return actions;
}

HealthTracker::Actions HealthTracker::Update(const HealthPolicy& policy,
                                             std::vector<std::string> shards, Moment now) {
  HealthTracker next(policy, std::move(shards));
  next.last_probe_id_ = last_probe_id_;
  for (size_t i = 0; i < next.shards_.size(); ++i) {
    Shard& shard = next.shards_[i];
    const auto old = std::find_if(shards_.begin(), shards_.end(),
                                  [&](const Shard& s) { return s.name == shard.name; });
    if (old == shards_.end()) continue;
    shard = *old;
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

Moment HealthTracker::next_deadline() const {
  Moment next = kNever;
  for (const Shard& shard : shards_) {
    if (shard.state == State::kEjected) next = std::min(next, shard.probe_at);
  }
  return next;
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

HealthAction HealthTracker::Eject(size_t index, FailureKind kind, Moment now) {
  Shard& shard = shards_[index];
  shard.ejection_time = NextEjectionTime(shard, now);
  shard.probe_at = now + shard.ejection_time;
  shard.state = State::kEjected;
  live_[index] = false;
  ++ejected_;
  return {.kind = HealthAction::Kind::kEject,
          .shard = index,
          .failure = kind,
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
