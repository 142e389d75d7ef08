#include "controlplane/server/metrics.h"

#include <string>

#include "controlplane/server/access_table.h"

namespace weir {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

prometheus::Counter& MakeCounter(prometheus::Registry& registry, const char* name,
                                 const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& MakeGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& MakeHistogram(prometheus::Registry& registry, const char* name,
                                     const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, kSeconds);
}

}  // namespace

ControlMetrics::ControlMetrics()
    : streams(MakeGauge(registry_, "weir_control_streams", "Discovery streams that are open.")),
      streams_opened_total(MakeCounter(registry_, "weir_control_streams_opened_total",
                                       "Discovery streams that were opened.")),
      acks_total(MakeCounter(registry_, "weir_control_acks_total",
                             "Responses of which a proxy took every resource.")),
      nacks_total(
          MakeCounter(registry_, "weir_control_nacks_total", "Resources that a proxy refused.")),
      stale_total(MakeCounter(registry_, "weir_control_stale_total",
                              "Resources that a proxy left alone because it holds newer ones.")),
      protocol_errors_total(MakeCounter(registry_, "weir_control_protocol_errors_total",
                                        "Streams that were ended for what the proxy sent.")),
      node_id_conflicts_total(
          MakeCounter(registry_, "weir_control_node_id_conflicts_total",
                      "Streams of proxies whose node id another one that is connected has.")),
      push_seconds(MakeHistogram(registry_, "weir_control_push_seconds",
                                 "From sending a response to the proxy's answer.")),
      responses_total(
          MakeCounter(registry_, "weir_control_responses_total", "Responses sent to proxies.")),
      resources_sent_total(MakeCounter(registry_, "weir_control_resources_sent_total",
                                       "Resources sent to proxies, removals included.")),
      sent_bytes_total(MakeCounter(registry_, "weir_control_sent_bytes_total",
                                   "Bytes of the responses sent to proxies.")),
      pools(MakeGauge(registry_, "weir_control_pools", "Pools that exist.")),
      changes_total(MakeCounter(registry_, "weir_control_changes_total",
                                "Changes of pools that came into force.")),
      merges_total(MakeCounter(registry_, "weir_control_merges_total",
                               "Edits of pool files by hand that were merged.")),
      merge_refusals_total(MakeCounter(registry_, "weir_control_merge_refusals_total",
                                       "Edits of pool files by hand that were refused.")),
      guard_holds_total(MakeCounter(registry_, "weir_control_guard_holds_total",
                                    "Changes that the guard has held.")),
      store_errors_total(MakeCounter(registry_, "weir_control_store_errors_total",
                                     "Reads and writes of the store that failed.")),
      store_seconds(
          MakeHistogram(registry_, "weir_control_store_seconds", "Durable writes of a pool.")),
      limit_refusals_total(MakeCounter(registry_, "weir_control_limit_refusals_total",
                                       "Streams and watches refused for too many that are open.")),
      calls_(prometheus::BuildCounter()
                 .Name("weir_control_calls_total")
                 .Help("Admin calls by method and status code.")
                 .Register(registry_)),
      refusals_(prometheus::BuildCounter()
                    .Name("weir_control_access_refusals_total")
                    .Help("Calls refused for the caller's credential, by the role needed.")
                    .Register(registry_)) {
  // A rate over a series that begins with its first refusal misses that one.
  for (const Role role : kRoles) refusals_.Add({{"role", std::string(RoleName(role))}});
}

void ControlMetrics::CountCall(std::string_view method, std::string_view code) {
  calls_.Add({{"method", std::string(method)}, {"code", std::string(code)}}).Increment();
}

void ControlMetrics::CountRefusal(std::string_view role) {
  refusals_.Add({{"role", std::string(role)}}).Increment();
}

}  // namespace weir
