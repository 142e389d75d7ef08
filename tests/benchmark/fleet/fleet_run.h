// One measured run of the control plane: a fleet comes, pools change, the fleet goes.
//
// Everything that is sent is checked: each change reaches each proxy as one response with one
// resource; then all of them hold what the admin API says is in force, and the API says that all
// have acknowledged it. The first thing that is wrong ends the run. Used by one thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/fleet/access.h"
#include "tests/benchmark/fleet/catalog.h"
#include "tests/benchmark/fleet/fleet.h"
#include "tests/benchmark/fleet/pool_writer.h"

namespace weir::benchmark {

// Several changes of one kind, one after the other.
struct ChangeFigures {
  std::vector<double> last_ack_ms;  // from before the call to the fleet's last ACK
  std::vector<double> answered_ms;  // ... to the call's answer, which waits for all ACKs
  double cpu_us = 0;                // of weir-control, for one change
  double bytes = 0;                 // sent to each proxy for one change
};

struct RunFigures {
  double lone_change_cpu_us = 0;  // one change while there is no proxy

  double sync_seconds = 0;  // until all streams are open and in sync
  double sync_cpu_us = 0;   // for one stream
  double sync_bytes = 0;    // for one stream

  uint64_t rss_before_kib = 0;   // of weir-control, before the first stream
  uint64_t rss_synced_kib = 0;   // all streams in sync, at once
  uint64_t rss_settled_kib = 0;  // after `settle`
  uint64_t rss_changed_kib = 0;  // after all changes
  uint64_t rss_closed_kib = 0;   // after all streams have ended and `settle`
  double settled_cpu_share = 0;  // of one core, while nothing happens

  ChangeFigures weights;
  ChangeFigures endpoints;
  double push_cpu_us = 0;  // for one proxy: of a change whose ACKs wait, without a lone change's
  double ack_cpu_us = 0;   // for one ACK
};

class FleetRun {
 public:
  struct Options {
    std::string admin;  // host:port
    Access admin_access;
    Fleet::Options fleet;
    pid_t pid = 0;        // weir-control's
    size_t changes = 50;  // of each kind
    absl::Duration settle = absl::Seconds(3);
  };

  // REQUIRES: weir-control has pools, no proxies, and nothing else to do.
  explicit FleetRun(const Options& options);

  absl::StatusOr<RunFigures> Run();

 private:
  // Makes a change that none was before.
  using Change = absl::StatusOr<v1::ChangeResponse> (FleetRun::*)(bool wait);

  // The steps of a run, in this order.
  absl::Status MeasureLoneChanges();
  absl::Status MeasureSync();
  absl::Status MeasureSettled();
  absl::Status MeasureWeights();
  absl::Status MeasureEndpoints();
  absl::Status MeasureHeldAcks();
  absl::Status MeasureEnd();

  absl::Status ReadPools();
  absl::Status MeasureChanges(Change change, ChangeFigures& figures);
  absl::StatusOr<v1::ChangeResponse> ChangeWeight(bool wait);
  absl::StatusOr<v1::ChangeResponse> ChangeEndpoint(bool wait);
  // The pool and the slot that are changed next; all take their turns.
  std::pair<v1::Pool*, size_t> NextSlot();
  // That a change came to every proxy as one resource and nothing else, and is what all hold.
  absl::Status CheckSent(const FleetCounts& before, const v1::ChangeResponse& response);

  const Options options_;
  PoolWriter writer_;
  std::vector<v1::Pool> pools_;
  size_t made_ = 0;  // changes
  std::unique_ptr<Catalog> catalog_;
  Versions versions_;  // that all proxies are meant to hold
  std::unique_ptr<Fleet> fleet_;
  RunFigures figures_;
};

}  // namespace weir::benchmark
