// Drives one workload against one or several targets and measures it.
//
// One thread, one epoll loop, everything blocking until done. Closed-loop groups send their next
// `pipeline` requests when the last ones are answered, and latency counts from the send. Open-loop
// groups send at fixed moments whatever is still unanswered, and latency counts from the moment the
// request was due, so a stall is charged to every request that it delays (no coordinated omission).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/benchmark/histogram.h"
#include "tests/benchmark/load_connection.h"
#include "tests/benchmark/process_sample.h"
#include "tests/benchmark/workload.h"

namespace weir::benchmark {

struct GroupResult {
  std::string name;
  Histogram latency_ns;  // one value per request answered in the window
};

// What happened between two samples of the measured process.
struct LoadResult {
  double seconds = 0;
  ProcessSample before, after;
  std::vector<GroupResult> groups;
};

// The process before the connections, with them untouched, and after one request on each.
struct IdleResult {
  uint32_t connections = 0;
  ProcessSample before, untouched, touched;
};

class LoadRun {
 public:
  // Connections go to `targets` in turn. `measured` is the process to sample, 0 for none.
  LoadRun(const Workload& workload, std::vector<std::string> targets, pid_t measured);
  ~LoadRun();

  // Every error below ends the run: Unavailable (a connection broke or could not be made), DataLoss
  // (a wrong reply) or DeadlineExceeded (no reply for 10 s).

  // SETs every key of the workload through each target.
  absl::Status Preload();

  // Runs the busy groups for `warmup_ns`, then measures `window_ns`, then waits for all replies.
  absl::StatusOr<LoadResult> Measure(uint64_t warmup_ns, uint64_t window_ns);

  // Opens the idle groups' connections and sends one request on each.
  absl::StatusOr<IdleResult> MeasureIdle();

 private:
  struct Group;

  absl::StatusOr<LoadConnection*> Open(size_t group, const std::string& target);
  absl::Status OpenGroup(size_t group);
  absl::Status Flush(LoadConnection* connection);
  Request Choose(const Group& group, uint64_t start_ns);

  // Waits up to `timeout_ns` for readiness and serves it; `refill(connection)` is called when all
  // replies of a connection have come.
  template <typename Refill>
  absl::Status Turn(uint64_t timeout_ns, Refill refill);
  template <typename Refill>
  absl::Status Serve(LoadConnection* connection, uint32_t events, Refill refill);

  absl::Status PreloadGroup(size_t group, const std::string& target);
  absl::Status SendBatch(LoadConnection* connection);
  absl::Status SendDue(uint64_t now);
  uint64_t NextDue() const;
  absl::Status RunUntil(uint64_t end_ns);
  absl::Status Drain();
  absl::Status Touch(const std::vector<LoadConnection*>& connections);
  absl::Status Probe();

  const std::vector<std::string> targets_;
  const pid_t measured_;
  const int epoll_;
  std::string scratch_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  uint64_t random_ = 0x2545f4914f6cdd1d;
  uint64_t last_reply_ns_ = 0;
};

}  // namespace weir::benchmark
