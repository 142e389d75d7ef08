// A PoolStore in memory, for tests: what is written is there, and it fails when told to.
//
// Revisions are numbers. Thread-safe, but for the members of the test's thread.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/store/pool_store.h"
#include "proxy/base/strings.h"

namespace weir {

class MemoryStore final : public PoolStore {
 public:
  absl::StatusOr<std::vector<StoredPool>> Load() override {
    const std::lock_guard lock(mutex_);
    std::vector<StoredPool> result;
    for (const auto& [name, pool] : pools_) result.push_back(pool);
    return result;
  }

  absl::Status Watch(PoolStoreObserver& observer) override {
    observer_ = &observer;
    return absl::OkStatus();
  }

  WriteResult Write(const v1::PoolRecord& record, std::string_view expected,
                    const v1::Version* version) override {
    const std::lock_guard lock(mutex_);
    if (!IsMade(failure)) return {failure};
    if (RevisionOf(record.name()) != expected) return {absl::AbortedError("another revision")};
    ++writes;
    const std::string revision = StrCat(++revision_);
    pools_[record.name()] = {.record = record, .revision = revision};
    if (version != nullptr) {
      versions_[record.name()].insert(versions_[record.name()].begin(), *version);
    }
    return {failure, revision};
  }

  absl::Status Delete(const v1::PoolRecord& last, std::string_view expected) override {
    const std::lock_guard lock(mutex_);
    if (!IsMade(failure)) return failure;
    if (RevisionOf(last.name()) != expected) return absl::AbortedError("another revision");
    pools_.erase(last.name());
    versions_.erase(last.name());
    std::erase_if(deleted_, [&last](const auto& record) { return record.uid() == last.uid(); });
    deleted_.insert(deleted_.begin(), last);
    return failure;
  }

  absl::StatusOr<std::vector<v1::PoolRecord>> ListDeleted() override {
    const std::lock_guard lock(mutex_);
    return deleted_;
  }

  absl::StatusOr<std::vector<v1::Version>> ListVersions(const std::string& pool) override {
    const std::lock_guard lock(mutex_);
    return versions_[pool];
  }

  PoolStoreObserver& observer() { return *observer_; }

  // --- of the test's thread, while no other one calls ---
  absl::Status failure;  // of the next writes; DATA_LOSS: they are made all the same
  int writes = 0;

 private:
  std::string RevisionOf(const std::string& pool) const {
    const auto found = pools_.find(pool);
    return found == pools_.end() ? "" : found->second.revision;
  }

  std::mutex mutex_;  // of what follows
  std::map<std::string, StoredPool> pools_;
  std::map<std::string, std::vector<v1::Version>> versions_;
  std::vector<v1::PoolRecord> deleted_;
  int revision_ = 0;
  PoolStoreObserver* observer_ = nullptr;
};

}  // namespace weir
