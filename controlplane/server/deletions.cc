#include "controlplane/server/deletions.h"

#include <algorithm>
#include <utility>

#include "controlplane/model/change.h"
#include "controlplane/model/request_log.h"
#include "controlplane/model/resources.h"
#include "controlplane/store/pool_store.h"

namespace weir {

std::vector<v1::PoolRecord> Deletions::Add(v1::PoolRecord last) {
  std::vector<v1::PoolRecord> forgotten;
  const auto same = std::ranges::find(records_, last.uid(), &v1::PoolRecord::uid);
  if (same != records_.end()) {
    forgotten.push_back(std::move(*same));
    records_.erase(same);
  }
  records_.insert(records_.begin(), std::move(last));
  if (const std::optional<size_t> oldest = FindSurplus(records_, PoolStore::kMaxDeleted)) {
    const auto place = records_.begin() + static_cast<ptrdiff_t>(*oldest);
    forgotten.push_back(std::move(*place));
    records_.erase(place);
  }
  return forgotten;
}

v1::PoolRecord Deletions::JoinMissing(v1::PoolRecord missing) const {
  const auto before = std::ranges::find_if(records_, [&missing](const v1::PoolRecord& record) {
    return !IsPool(record) && record.name() == missing.name();
  });
  if (before == records_.end()) return missing;
  v1::PoolRecord joined = *before;
  *joined.mutable_changed() = missing.changed();
  for (v1::RecordedRequest& request : *missing.mutable_requests()) {
    RememberRequest(std::move(request), joined);
  }
  return joined;
}

const v1::PoolRecord* Deletions::FindRequest(const std::string& pool,
                                             const std::string& request_id) const {
  const auto found = std::ranges::find_if(records_, [&](const v1::PoolRecord& record) {
    return record.name() == pool && weir::FindRequest(record, request_id) != nullptr;
  });
  return found == records_.end() ? nullptr : &*found;
}

std::optional<google::protobuf::Timestamp> Deletions::LastOf(const std::string& pool) const {
  const auto found = std::ranges::find(records_, pool, &v1::PoolRecord::name);
  if (found == records_.end()) return std::nullopt;
  return found->changed();
}

std::vector<v1::RemovedResource> Deletions::Removals() const {
  std::vector<v1::RemovedResource> removals;
  for (const v1::PoolRecord& record : records_) {
    if (IsPool(record)) removals.push_back(RemovalOf(record));
  }
  return removals;
}

std::optional<google::protobuf::Timestamp> Deletions::ForgottenBefore() const {
  // Those that were forgotten are older than all.
  const v1::PoolRecord* oldest = nullptr;
  size_t pools = 0;
  for (const v1::PoolRecord& record : records_) {
    if (!IsPool(record)) continue;
    oldest = &record;
    ++pools;
  }
  if (pools < PoolStore::kMaxDeleted) return std::nullopt;
  return oldest->changed();
}

}  // namespace weir
