#include "controlplane/model/pool_view.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "controlplane/model/etag.h"
#include "controlplane/model/merge.h"
#include "controlplane/model/pending.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// For a slot that has been at `addresses` and is to be at an endpoint that has none yet.
std::string KeepsAddress(const v1::Slot& slot, const std::vector<std::string>& addresses) {
  return StrCat("shard ", slot.name(), " keeps its old address (", absl::StrJoin(addresses, ", "),
                ") until ", slot.endpoint(), " resolves");
}

// What the slot waits for; empty: nothing.
std::string WaitLine(const v1::Slot& slot, const v1::EndpointsResource& endpoints,
                     const HasAddress& has_address) {
  if (slot.state() == v1::SLOT_PENDING) return WaitsFor(slot);
  if (has_address == nullptr || has_address(slot.endpoint())) return "";
  const auto served =
      std::ranges::lower_bound(endpoints.slots(), slot.name(), {}, &v1::SlotEndpoints::slot);
  const bool has_place = served != endpoints.slots().end() && served->slot() == slot.name() &&
                         !served->addresses().empty();
  if (!has_place) return WaitsFor(slot);
  return KeepsAddress(slot, {served->addresses().begin(), served->addresses().end()});
}

bool IsMissing(const std::string& secret, const Knowledge& known) {
  return !secret.empty() && known.has_secret != nullptr && !known.has_secret(secret);
}

}  // namespace

std::vector<std::string> WaitLines(const v1::PoolRecord& record, const PoolResources& resources,
                                   const Knowledge& known) {
  std::vector<std::string> lines;
  for (const v1::Slot& slot : record.shard_map().slots()) {
    std::string line = WaitLine(slot, resources.endpoints.endpoints(), known.has_address);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  if (const std::string& secret = record.spec().policy().redis_auth_secret();
      IsMissing(secret, known)) {
    lines.push_back(StrCat("secret ", secret, " is not in the secrets directory"));
  }
  return lines;
}

v1::Pool PoolView(const v1::PoolRecord& record, const PoolResources& resources,
                  const Knowledge& known) {
  v1::Pool pool;
  pool.set_name(record.name());
  pool.set_uid(record.uid());
  *pool.mutable_spec() = record.spec();
  pool.set_declared_generation(record.declared_generation());
  *pool.mutable_shard_map() = record.shard_map();
  pool.set_etag(EtagOf(record));
  *pool.mutable_created() = record.created();

  v1::PoolStatus& status = *pool.mutable_status();
  for (std::string& line : Drift(record.spec().servers(), record.shard_map().slots())) {
    status.add_drift(std::move(line));
  }
  status.set_drifted(status.drift_size() > 0);
  for (std::string& line : WaitLines(record, resources, known)) {
    status.add_waiting(std::move(line));
  }
  if (record.has_held()) *status.mutable_held() = record.held();
  *status.mutable_changed() = record.changed();
  status.set_version(resources.pool.version());
  status.set_endpoints_version(resources.endpoints.version());
  return pool;
}

}  // namespace weir
