#include "controlplane/server/request_ids.h"

namespace weir {

bool RequestIds::Hold(const std::string& id, const std::string& pool) {
  const auto [found, is_new] = by_id_.try_emplace(id, Holding{.pool = pool});
  if (found->second.pool != pool) return false;
  ++found->second.times;
  return true;
}

void RequestIds::Release(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found != by_id_.end() && --found->second.times == 0) by_id_.erase(found);
}

void RequestIds::HoldAll(const v1::PoolRecord& record) {
  for (const v1::RecordedRequest& request : record.requests()) {
    Holding& holding = by_id_[request.id()];
    if (holding.times++ == 0) holding.pool = record.name();
  }
}

void RequestIds::ReleaseAll(const v1::PoolRecord& record) {
  for (const v1::RecordedRequest& request : record.requests()) Release(request.id());
}

}  // namespace weir
