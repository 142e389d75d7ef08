#include "controlplane/store/embedded_store.h"

#include <cstdint>
#include <set>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"

namespace weir {
namespace {

// How often a write looks at a file that may be being saved, over Options::quiet.
constexpr int kLooks = 10;

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedStore>> EmbeddedStore::Open(Options options) {
  if (absl::Status status = MakePrivateDirectory(options.directory); !status.ok()) return status;
  absl::StatusOr<DirectoryLock> lock = DirectoryLock::Take(options.directory);
  if (!lock.ok()) return lock.status();
  auto store =
      std::unique_ptr<EmbeddedStore>(new EmbeddedStore(std::move(options), *std::move(lock)));
  if (absl::Status status = store->ReadAll(); !status.ok()) return status;
  return store;
}

EmbeddedStore::EmbeddedStore(Options options, DirectoryLock lock)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      pools_(StrCat(options_.directory, "/pools"), options_.max_file_bytes, lock_),
      history_(StrCat(options_.directory, "/history"), options_.max_file_bytes),
      deleted_(StrCat(options_.directory, "/deleted"), kMaxDeleted, options_.max_file_bytes) {}

EmbeddedStore::~EmbeddedStore() = default;

// --- opening ---

absl::Status EmbeddedStore::ReadAll() {
  for (const char* name : {"/pools", "/history", "/deleted"}) {
    if (absl::Status status = MakePrivateDirectory(options_.directory + name); !status.ok()) {
      return status;
    }
  }
  const absl::StatusOr<std::vector<std::string>> without_record = pools_.ReadAll();
  if (!without_record.ok()) return without_record.status();
  for (const std::string& pool : *without_record) {
    if (absl::Status status = CheckIsNew(pool); !status.ok()) return status;
  }
  for (const InForce* pool : pools_.AllInForce()) {
    const uint64_t generation = pool->record.shard_map().generation();
    absl::Status status = history_.Trim(pool->record.name(), generation, kMaxVersions);
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckHistories(); !status.ok()) return status;
  std::set<std::string> uids;
  for (const InForce* pool : pools_.AllInForce()) uids.insert(pool->record.uid());
  return deleted_.Read(uids);
}

absl::Status EmbeddedStore::CheckIsNew(const std::string& pool) const {
  const absl::StatusOr<bool> was_there = history_.ShowsAPool(pool);
  if (!was_there.ok() || !*was_there) return was_there.status();
  const std::string history = StrCat(options_.directory, "/history/", pool);
  return absl::DataLossError(
      StrCat(pools_.PathOf(pool),
             ":1: found no in_force, but the pool has a history; restore the file "
             "from a backup, or remove ",
             history, " to have it taken for a new pool"));
}

absl::Status EmbeddedStore::CheckHistories() {
  const absl::StatusOr<std::vector<std::string>> names = history_.Names();
  if (!names.ok()) return names.status();
  for (const std::string& pool : *names) {
    if (pools_.InForceOf(pool) != nullptr) continue;
    const absl::StatusOr<bool> was_there = history_.ShowsAPool(pool);
    if (!was_there.ok()) return was_there.status();
    if (*was_there) {
      LOG_EVENT(LogLevel::kWarn, "pool_file_missing", {"pool", pool}, {"file", pools_.PathOf(pool)},
                {"history", StrCat(options_.directory, "/history/", pool)});
    } else {
      history_.Forget(pool).IgnoreError();  // what a crash has left
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredPool>> EmbeddedStore::Load() {
  const std::lock_guard lock(mutex_);
  std::vector<StoredPool> pools;
  for (const InForce* pool : pools_.AllInForce()) pools.push_back({pool->record, pool->sha256});
  return pools;
}

// --- edits by hand ---

absl::Status EmbeddedStore::Watch(PoolStoreObserver& observer) {
  CHECK(observer_ == nullptr);
  observer_ = &observer;
  auto watcher =
      DirectoryWatcher::Start({.directory = pools_.path(),
                               .quiet = options_.quiet,
                               .max_delay = options_.max_delay,
                               .retry = options_.retry},
                              [this](const auto& changes) { return OnChanges(changes); });
  if (!watcher.ok()) return watcher.status();
  watcher_ = *std::move(watcher);
  return absl::OkStatus();
}

DirectoryWatcher::Again EmbeddedStore::OnChanges(const DirectoryWatcher::Changes& changes) {
  std::set<std::string> names = changes.names;
  if (changes.everything) {
    const std::lock_guard lock(mutex_);
    names.merge(pools_.FileNames());
  }
  DirectoryWatcher::Again names_again;
  for (const std::string& name : names) {
    const std::optional<std::string> pool = PoolDirectory::PoolOf(name);
    if (!pool) continue;
    bool again = false;
    const auto news = Examine(*pool, again);
    if (again) names_again.soon.insert(name);
    if (news && !Tell(*news)) names_again.later.insert(name);
  }
  return names_again;
}

std::optional<PoolDirectory::News> EmbeddedStore::Examine(const std::string& pool, bool& again) {
  const std::lock_guard lock(mutex_);
  return pools_.Examine(pool, again);
}

bool EmbeddedStore::Tell(const PoolDirectory::News& news) {
  if (!news.declared) {
    observer_->OnRefused(news.pool, news.refused);
    return true;
  }
  const bool is_taken = observer_->OnDeclared(news.pool, *news.declared);
  const std::lock_guard lock(mutex_);
  pools_.Settle(news.pool, is_taken);
  return is_taken;
}

// --- writes ---

absl::Status EmbeddedStore::CheckRevision(const std::string& pool,
                                          std::string_view expected) const {
  const InForce* const in_force = pools_.InForceOf(pool);
  const bool exists = in_force != nullptr;
  if ((exists ? in_force->sha256 : "") == expected) return absl::OkStatus();
  return absl::AbortedError(StrCat("pool '", pool, "': ",
                                   !exists            ? "it does not exist any more"
                                   : expected.empty() ? "it exists"
                                                      : "it has changed since it was read"));
}

WriteResult EmbeddedStore::Write(const v1::PoolRecord& record, std::string_view expected_revision,
                                 const v1::Version* version) {
  const CheckedPool checked = ReadPoolSpec(record.name(), record.spec());
  if (!checked.ok()) return {ToStatus(checked.errors)};
  CHECK(version == nullptr || version->generation() == record.shard_map().generation());
  for (int look = 1;; ++look) {
    const bool is_last = look == kLooks;
    if (auto result = TryWrite(record, expected_revision, version, is_last)) return *result;
    absl::SleepFor(options_.quiet / kLooks);
  }
}

std::optional<WriteResult> EmbeddedStore::TryWrite(const v1::PoolRecord& record,
                                                   std::string_view expected_revision,
                                                   const v1::Version* version, bool is_last) {
  const std::string& pool = record.name();
  const std::lock_guard lock(mutex_);
  if (absl::Status status = lock_.Check(); !status.ok()) return WriteResult{status};
  if (absl::Status status = CheckRevision(pool, expected_revision); !status.ok()) {
    return WriteResult{status};
  }
  const absl::StatusOr<std::optional<std::string>> text = pools_.ReadText(pool);
  if (!text.ok()) return WriteResult{text.status()};
  const InForce* const old = pools_.InForceOf(pool);
  FoundFile found = pools_.Look(pool, *text);
  if (!found.error.empty() && !is_last) return std::nullopt;
  absl::StatusOr<std::string> declared =
      old == nullptr && !*text ? FormatDeclaredPart(record.spec(), pool, "")
                               : DeclaredFor(record, old == nullptr ? nullptr : &old->record,
                                             found.declared, pools_.PathOf(pool));
  if (!declared.ok()) return WriteResult{declared.status()};
  found.declared = *std::move(declared);

  InForce in_force = FormatInForce(record);
  WriteResult result{.status = absl::OkStatus(), .revision = in_force.sha256};
  result.status = WriteAll(pool, *text, std::move(found), std::move(in_force), version);
  if (absl::IsAborted(result.status)) {
    if (!is_last) return std::nullopt;
    result.status = absl::UnavailableError(result.status.message());
  }
  return result;
}

absl::Status EmbeddedStore::WriteAll(const std::string& pool,
                                     const std::optional<std::string>& text, FoundFile found,
                                     InForce in_force, const v1::Version* version) {
  const InForce* const old = pools_.InForceOf(pool);
  const uint64_t generation = in_force.record.shard_map().generation();
  const uint64_t old_generation = old == nullptr ? 0 : old->record.shard_map().generation();
  absl::Status status;
  if (old == nullptr) status = history_.Forget(pool);
  if (status.ok() && old == nullptr && version != nullptr) status = history_.Disown(pool);
  if (status.ok() && version != nullptr) status = history_.Add(pool, *version);
  if (status.ok()) status = pools_.Write(pool, text, std::move(found), std::move(in_force));
  // Nothing is lost when this fails: it is done again at the next write, or on opening.
  const uint64_t last = IsMade(status) ? generation : old_generation;
  if (version != nullptr) history_.Trim(pool, last, kMaxVersions).IgnoreError();
  return status;
}

absl::Status EmbeddedStore::Delete(const v1::PoolRecord& last, std::string_view expected_revision) {
  const std::string& pool = last.name();
  const std::lock_guard lock(mutex_);
  if (absl::Status status = lock_.Check(); !status.ok()) return status;
  if (absl::Status status = CheckRevision(pool, expected_revision); !status.ok()) return status;
  if (absl::Status status = deleted_.Add(last); !IsMade(status) || expected_revision.empty()) {
    return status;  // a file that is not taken over yet is left alone
  }
  absl::Status status = history_.Disown(pool);
  if (status.ok()) status = pools_.Remove(pool);
  if (!IsMade(status)) {
    deleted_.Withdraw(last.uid());
    const uint64_t generation = pools_.InForceOf(pool)->record.shard_map().generation();
    history_.Trim(pool, generation, kMaxVersions).IgnoreError();
    return status;
  }
  // What cannot be removed is removed before a pool of this name is written again.
  history_.Forget(pool).IgnoreError();
  return status;
}

absl::StatusOr<std::vector<v1::PoolRecord>> EmbeddedStore::ListDeleted() {
  const std::lock_guard lock(mutex_);
  return deleted_.records();
}

absl::StatusOr<std::vector<v1::Version>> EmbeddedStore::ListVersions(const std::string& pool) {
  {
    const std::lock_guard lock(mutex_);
    if (pools_.InForceOf(pool) == nullptr) return std::vector<v1::Version>();
  }
  return history_.List(pool);  // may take long: nobody waits for it
}

absl::Status EmbeddedStore::WriteAddresses(const KnownAddresses& known) const {
  if (absl::Status status = lock_.Check(); !status.ok()) return status;
  return WriteAddressFile(options_.directory, known);
}

}  // namespace weir
