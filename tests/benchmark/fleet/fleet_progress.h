// What has happened on all streams of a simulated fleet together, and a way to wait for it.
//
// Thread-safe: the streams' threads count, the benchmark's one thread waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace weir::benchmark {

using Moment = std::chrono::steady_clock::time_point;

// Since the fleet was made.
struct FleetCounts {
  uint64_t responses = 0;
  uint64_t resources = 0;  // in the responses
  uint64_t bytes = 0;      // of the responses, without what gRPC, HTTP/2 and TCP add
  uint64_t synced = 0;     // streams that have ACKed all that there was when they came
  uint64_t acks = 0;       // ACKs that were sent
  uint64_t ended = 0;      // streams
  Moment last_response;
  Moment last_ack;
};

class FleetProgress {
 public:
  void OnResponse(uint64_t resources, uint64_t bytes);
  // `syncs`: the stream holds everything for the first time.
  void OnAck(bool syncs);
  void OnEnd();
  // A stream failed, or was sent what is wrong; the first one is kept.
  void OnFailure(absl::Status status);

  FleetCounts counts() const;

  // Waits until `*counter` of the counts is at least `wanted`. DEADLINE_EXCEEDED when that takes
  // longer; a failure of a stream at once. One thread waits at a time.
  absl::Status Await(uint64_t FleetCounts::* counter, uint64_t wanted, absl::Duration longest);

 private:
  bool IsReached() const { return counts_.*wanted_counter_ >= wanted_; }
  void NotifyIfReached();

  mutable std::mutex mutex_;
  std::condition_variable reached_;
  FleetCounts counts_;
  absl::Status failure_;
  // Whoever waits is woken once, not for every event.
  uint64_t FleetCounts::* wanted_counter_ = &FleetCounts::acks;
  uint64_t wanted_ = UINT64_MAX;
};

}  // namespace weir::benchmark
