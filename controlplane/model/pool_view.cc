#include "controlplane/model/pool_view.h"

#include <string>
#include <utility>

#include "controlplane/model/etag.h"
#include "controlplane/model/merge.h"
#include "controlplane/model/pending.h"

namespace weir {

v1::Pool PoolView(const v1::PoolRecord& record, const PoolResources& resources) {
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
  for (const v1::Slot& slot : record.shard_map().slots()) {
    if (slot.state() == v1::SLOT_PENDING) status.add_waiting(WaitsFor(slot));
  }
  if (record.has_held()) *status.mutable_held() = record.held();
  *status.mutable_changed() = record.changed();
  status.set_version(resources.pool.version());
  status.set_endpoints_version(resources.endpoints.version());
  return pool;
}

}  // namespace weir
