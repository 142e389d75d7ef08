#include "tests/benchmark/fleet/fleet_progress.h"

#include <utility>

#include "proxy/base/strings.h"

namespace weir::benchmark {

void FleetProgress::OnResponse(uint64_t resources, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  ++counts_.responses;
  counts_.resources += resources;
  counts_.bytes += bytes;
  counts_.last_response = std::chrono::steady_clock::now();
  NotifyIfReached();
}

void FleetProgress::OnAck(bool syncs) {
  const std::lock_guard lock(mutex_);
  ++counts_.acks;
  if (syncs) ++counts_.synced;
  counts_.last_ack = std::chrono::steady_clock::now();
  NotifyIfReached();
}

void FleetProgress::OnEnd() {
  const std::lock_guard lock(mutex_);
  ++counts_.ended;
  NotifyIfReached();
}

void FleetProgress::OnFailure(absl::Status status) {
  const std::lock_guard lock(mutex_);
  failure_.Update(std::move(status));
  reached_.notify_one();
}

FleetCounts FleetProgress::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

absl::Status FleetProgress::Await(uint64_t FleetCounts::* counter, uint64_t wanted,
                                  absl::Duration longest) {
  std::unique_lock lock(mutex_);
  wanted_counter_ = counter;
  wanted_ = wanted;
  const bool over = reached_.wait_for(lock, absl::ToChronoNanoseconds(longest),
                                      [this] { return !failure_.ok() || IsReached(); });
  if (!failure_.ok()) return failure_;
  if (over) return absl::OkStatus();
  return absl::DeadlineExceededError(
      StrCat("after ", absl::ToInt64Seconds(longest), " s ", counts_.*counter, " of ", wanted,
             " (responses ", counts_.responses, ", ACKs ", counts_.acks, ", streams in sync ",
             counts_.synced, ", ended ", counts_.ended, ")"));
}

void FleetProgress::NotifyIfReached() {
  if (IsReached()) reached_.notify_one();
}

}  // namespace weir::benchmark
