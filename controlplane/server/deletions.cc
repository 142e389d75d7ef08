#include "controlplane/server/deletions.h"

#include <algorithm>
#include <utility>

#include "controlplane/model/request_log.h"
#include "controlplane/model/resources.h"
#include "controlplane/store/pool_store.h"

namespace weir {

void Deletions::Add(v1::PoolRecord last) {
  records_.push_front(std::move(last));
  if (records_.size() > PoolStore::kMaxDeleted) records_.pop_back();
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
  for (const v1::PoolRecord& record : records_) removals.push_back(RemovalOf(record));
  return removals;
}

std::optional<google::protobuf::Timestamp> Deletions::ForgottenBefore() const {
  if (records_.size() < PoolStore::kMaxDeleted) return std::nullopt;
  return records_.back().changed();  // those that were forgotten are older
}

}  // namespace weir
