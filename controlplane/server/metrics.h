// The metrics of weir-control, declared once, together: names and units are an API for operators.
//
// Thread-safe; a count costs an atomic or a short lock, far from any data path. Owned by the
// process, which outlives all that counts. Prometheus reads it through registry().
#pragma once

#include <string_view>

#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace weir {

class ControlMetrics {
 private:
  prometheus::Registry registry_;  // before all that it owns

 public:
  ControlMetrics();
  ControlMetrics(const ControlMetrics&) = delete;
  ControlMetrics& operator=(const ControlMetrics&) = delete;

  // --- discovery streams ---
  prometheus::Gauge& streams;                  // open now
  prometheus::Counter& streams_opened_total;   // since the start
  prometheus::Counter& acks_total;             // responses that were taken as a whole
  prometheus::Counter& nacks_total;            // resources refused by a proxy
  prometheus::Counter& stale_total;            // resources left alone because they are older
  prometheus::Counter& protocol_errors_total;  // streams ended because the proxy broke the protocol
  // Streams of proxies whose node id another process that is connected has.
  prometheus::Counter& node_id_conflicts_total;
  prometheus::Histogram& push_seconds;  // from sending a response to its answer
  prometheus::Counter& responses_total;
  prometheus::Counter& resources_sent_total;
  prometheus::Counter& sent_bytes_total;

  // --- changes of pools ---
  prometheus::Gauge& pools;
  prometheus::Counter& changes_total;         // in force, whatever their source
  prometheus::Counter& merges_total;          // files edited by hand that were merged
  prometheus::Counter& merge_refusals_total;  // ... that had a mistake
  prometheus::Counter& guard_holds_total;
  prometheus::Counter& store_errors_total;
  prometheus::Histogram& store_seconds;  // one durable write

  // --- calls ---
  prometheus::Counter& limit_refusals_total;  // streams and watches, for too many that are open
  void CountCall(std::string_view method, std::string_view code);
  void CountRefusal(std::string_view role);

  prometheus::Registry& registry() { return registry_; }

 private:
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Counter>& refusals_;
};

inline void Observe(prometheus::Histogram& histogram, absl::Duration duration) {
  histogram.Observe(absl::ToDoubleSeconds(duration));
}

}  // namespace weir
