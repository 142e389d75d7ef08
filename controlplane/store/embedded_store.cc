#include "controlplane/store/embedded_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "controlplane/model/pool_spec.h"
#include "proxy/base/check.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

constexpr std::string_view kSuffix = ".yml";
// How often a write looks at a file that may be being saved, over Options::quiet.
constexpr int kLooks = 10;

std::string FileName(std::string_view pool) { return StrCat(pool, kSuffix); }

std::string LockPath(const std::string& directory) { return StrCat(directory, "/lock"); }

// The lock's descriptor. It is let go when the process ends, however it ends.
absl::StatusOr<UniqueFd> TakeLock(const std::string& directory) {
  const std::string path = LockPath(directory);
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return FileError(path, "opened", errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    char pid[32] = {};
    const ssize_t length = pread(fd.get(), pid, sizeof(pid), 0);
    if (error != EWOULDBLOCK) return FileError(path, "locked", error);
    return absl::FailedPreconditionError(
        StrCat(directory, ": another weir-control has it open, pid ",
               std::string_view(pid, length > 0 ? static_cast<size_t>(length) : 0)));
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return FileError(path, "written", errno);
  }
  return fd;
}

// Only a failure after which nothing has changed is one that can be taken back.
bool IsDone(const absl::Status& status) { return status.ok() || absl::IsDataLoss(status); }

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedStore>> EmbeddedStore::Open(Options options) {
  if (absl::Status status = MakePrivateDirectory(options.directory); !status.ok()) return status;
  absl::StatusOr<UniqueFd> lock = TakeLock(options.directory);
  if (!lock.ok()) return lock.status();
  auto store =
      std::unique_ptr<EmbeddedStore>(new EmbeddedStore(std::move(options), *std::move(lock)));
  if (absl::Status status = store->ReadAll(); !status.ok()) return status;
  return store;
}

EmbeddedStore::EmbeddedStore(Options options, UniqueFd lock)
    : options_(std::move(options)),
      pools_directory_(StrCat(options_.directory, "/pools")),
      lock_(std::move(lock)),
      history_(StrCat(options_.directory, "/history"), options_.max_file_bytes),
      deleted_(StrCat(options_.directory, "/deleted"), kMaxDeleted, options_.max_file_bytes) {}

EmbeddedStore::~EmbeddedStore() = default;

std::string EmbeddedStore::PathOf(const std::string& pool) const {
  return StrCat(pools_directory_, "/", FileName(pool));
}

// --- opening ---

absl::Status EmbeddedStore::ReadAll() {
  for (const char* name : {"/pools", "/history", "/deleted"}) {
    if (absl::Status status = MakePrivateDirectory(options_.directory + name); !status.ok()) {
      return status;
    }
  }
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(pools_directory_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    absl::Status status;
    if (IsTemporaryName(name)) status = RemoveFileDurably(pools_directory_, name);
    if (name.ends_with(kSuffix)) status = ReadPool(name.substr(0, name.size() - kSuffix.size()));
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckHistories(); !status.ok()) return status;
  std::set<std::string> uids;
  for (const auto& [name, state] : pools_) uids.insert(state.in_force->record.uid());
  return deleted_.Read(uids);
}

absl::Status EmbeddedStore::CheckIsNew(const std::string& pool) const {
  const absl::StatusOr<bool> was_there = history_.ShowsAPool(pool);
  if (!was_there.ok() || !*was_there) return was_there.status();
  const std::string history = StrCat(options_.directory, "/history/", pool);
  return absl::DataLossError(
      StrCat(PathOf(pool),
             ":1: found no in_force, but the pool has a history; restore the file "
             "from a backup, or remove ",
             history, " to have it taken for a new pool"));
}

absl::Status EmbeddedStore::CheckHistories() {
  const absl::StatusOr<std::vector<std::string>> names = history_.Names();
  if (!names.ok()) return names.status();
  for (const std::string& pool : *names) {
    if (InForceOf(pool) != nullptr) continue;
    const absl::StatusOr<bool> was_there = history_.ShowsAPool(pool);
    if (!was_there.ok()) return was_there.status();
    if (*was_there) {
      LOG_EVENT(LogLevel::kWarn, "pool_file_missing", {"pool", pool}, {"file", PathOf(pool)},
                {"history", StrCat(options_.directory, "/history/", pool)});
    } else {
      history_.Forget(pool).IgnoreError();  // what a crash has left
    }
  }
  return absl::OkStatus();
}

absl::Status EmbeddedStore::ReadPool(const std::string& pool) {
  const std::string path = PathOf(pool);
  const absl::StatusOr<std::string> text = ReadWholeFile(path, options_.max_file_bytes);
  if (!text.ok()) return text.status();
  const PoolFileParts parts = SplitPoolFile(*text);
  if (parts.in_force.empty()) return CheckIsNew(pool);  // added by hand: Watch tells of it
  absl::StatusOr<InForce> in_force = ParseInForce(parts.in_force, path, parts.in_force_line);
  if (!in_force.ok()) return in_force.status();
  if (in_force->record.name() != pool) {
    return absl::DataLossError(StrCat(path, ":", parts.in_force_line,
                                      ": in_force is that of pool '", in_force->record.name(),
                                      "'; rename the file back"));
  }
  const uint64_t generation = in_force->record.shard_map().generation();
  PoolState& state = pools_[pool];
  const absl::StatusOr<v1::PoolSpec> declared = ParseDeclaredPool(parts.declared, path, pool);
  if (declared.ok() && IsSameSpec(*declared, in_force->record.spec())) {
    state.accepted = parts.declared;
    if (!HoldsAnEdit(in_force->record)) state.judged = *text;
  }
  state.in_force = *std::move(in_force);
  return history_.Trim(pool, generation, kMaxVersions);
}

absl::StatusOr<std::vector<StoredPool>> EmbeddedStore::Load() {
  const std::lock_guard lock(mutex_);
  std::vector<StoredPool> pools;
  for (const auto& [name, state] : pools_) {
    if (state.in_force) pools.push_back({state.in_force->record, state.in_force->sha256});
  }
  return pools;
}

// --- edits by hand ---

absl::Status EmbeddedStore::Watch(PoolStoreObserver& observer) {
  CHECK(observer_ == nullptr);
  observer_ = &observer;
  auto watcher =
      DirectoryWatcher::Start({.directory = pools_directory_,
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
    for (const auto& [pool, state] : pools_) names.insert(FileName(pool));
    const absl::StatusOr<std::vector<std::string>> files = ListDirectory(pools_directory_);
    if (files.ok()) names.insert(files->begin(), files->end());
  }
  DirectoryWatcher::Again names_again;
  for (const std::string& name : names) {
    if (name.starts_with('.') || !name.ends_with(kSuffix)) continue;  // editors' own
    bool again = false;
    const std::optional<News> news = Examine(name, again);
    if (again) names_again.soon.insert(name);
    if (news && !Tell(*news)) names_again.later.insert(name);
  }
  return names_again;
}

bool EmbeddedStore::Tell(const News& news) {
  if (!news.declared) {
    observer_->OnRefused(news.pool, news.refused);
    return true;
  }
  const bool is_taken = observer_->OnDeclared(news.pool, *news.declared);
  const std::lock_guard lock(mutex_);
  if (const auto found = pools_.find(news.pool); found != pools_.end()) {
    found->second.is_refused = !is_taken;
    if (!is_taken) found->second.judged.clear();
  }
  return is_taken;
}

std::optional<EmbeddedStore::News> EmbeddedStore::Examine(const std::string& file_name,
                                                          bool& again) {
  const std::lock_guard lock(mutex_);
  const std::string pool = file_name.substr(0, file_name.size() - kSuffix.size());
  std::optional<News> news = ExamineFile(pool, again);
  const auto found = pools_.find(pool);
  if (found == pools_.end()) return news;
  PoolState& state = found->second;
  if (!state.untold.empty()) {
    again = true;
    if (!news) news = News{pool, std::nullopt, std::exchange(state.untold, {})};
  }
  if (news) {
    state.is_refused |= !news->refused.empty();
  } else if (state.is_refused && !again && IsInOrder(pool, state)) {
    state.is_refused = false;
    return News{pool, std::nullopt, {}};
  }
  return news;
}

bool EmbeddedStore::IsInOrder(const std::string& pool, const PoolState& state) const {
  if (!state.in_force || state.judged.empty()) return false;
  const std::string_view declared = SplitPoolFile(state.judged).declared;
  if (declared != state.refused) return true;
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  return spec.ok() && IsSameSpec(*spec, state.in_force->record.spec());
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineFile(const std::string& pool,
                                                              bool& again) {
  const absl::StatusOr<std::optional<std::string>> text = ReadText(pool);
  if (!text.ok()) return News{pool, std::nullopt, std::string(FromAbsl(text.status().message()))};
  const auto found = pools_.find(pool);
  if (found != pools_.end() && found->second.in_force) {
    return ExamineStored(pool, found->second, *text, again);
  }
  if (*text) return ExamineAdded(pool, pools_[pool], **text);
  pools_.erase(pool);
  return std::nullopt;
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineAdded(const std::string& pool,
                                                               PoolState& state,
                                                               const std::string& text) {
  if (text == state.judged) return std::nullopt;
  state.judged = text;
  const PoolFileParts parts = SplitPoolFile(text);
  if (parts.in_force.empty()) return ExamineDeclared(pool, state, parts.declared);
  return News{pool, std::nullopt,
              StrCat(PathOf(pool), ":", parts.in_force_line,
                     ": found in_force, expected `declared` alone in a file that is added; to "
                     "restore a backup, stop weir-control first")};
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineStored(
    const std::string& pool, PoolState& state, const std::optional<std::string>& text,
    bool& again) {
  if (text && *text == state.judged) {
    state.is_suspect = false;
    return std::nullopt;
  }
  FoundFile found = LookAtFile(text, *state.in_force, Remembered(pool, state), PathOf(pool));
  if (!found.is_whole) {
    if (!IsSettled(state, text.value_or(""), again)) return std::nullopt;
    return Undo(pool, state, text, std::move(found), again);
  }
  state.judged = *text;
  return ExamineDeclared(pool, state, found.declared);
}

std::string EmbeddedStore::Remembered(const std::string& pool, const PoolState& state) const {
  if (!state.judged.empty()) return std::string(SplitPoolFile(state.judged).declared);
  if (!state.accepted.empty()) return state.accepted;
  return FormatDeclaredPart(state.in_force->record.spec(), pool, "");
}

bool EmbeddedStore::IsSettled(PoolState& state, const std::string& text, bool& again) {
  if (state.is_suspect && state.suspect == text) {
    state.is_suspect = false;
    return true;
  }
  state.is_suspect = again = true;
  state.suspect = text;
  return false;
}

std::optional<EmbeddedStore::News> EmbeddedStore::Undo(const std::string& pool, PoolState& state,
                                                       const std::optional<std::string>& text,
                                                       FoundFile found, bool& again) {
  const bool was_judged = !state.judged.empty();
  const std::string undone = JoinPoolFile(found.declared, state.in_force->text);
  absl::Status status = CheckLock();
  if (status.ok()) status = ReplaceFile(pool, text, undone);
  if (absl::IsAborted(status)) {  // it was saved once more
    again = true;
    return std::nullopt;
  }
  if (!status.ok()) {
    StrAppend(&found.error, found.error.empty() ? "" : "\n", FromAbsl(status.message()));
  }
  if (!IsDone(status)) return News{pool, std::nullopt, std::move(found.error)};
  if (found.error.empty()) {
    state.judged = undone;
    return ExamineDeclared(pool, state, found.declared);
  }
  if (found.is_refused) {
    state.refused = found.declared;
    state.refused_because = found.error;
  } else if (found.declared == state.refused && state.refused_because != found.error) {
    StrAppend(&found.error, "\n", state.refused_because);
  }
  // What nobody has been told of is told of next.
  state.judged = found.is_refused || was_judged ? undone : "";
  return News{pool, std::nullopt, std::move(found.error)};
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineDeclared(const std::string& pool,
                                                                  PoolState& state,
                                                                  std::string_view declared) {
  state.refused.clear();
  state.refused_because.clear();
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  std::string errors;
  if (!spec.ok()) {
    errors = FromAbsl(spec.status().message());
  } else if (state.in_force && IsSameSpec(*spec, state.in_force->record.spec())) {
    state.accepted = declared;
    if (HoldsAnEdit(state.in_force->record)) return News{pool, *spec, {}};  // it was undone
    return std::nullopt;
  } else {
    const CheckedPool checked = ReadPoolSpec(pool, *spec);
    if (checked.ok()) return News{pool, *spec, {}};
    for (const FieldError& error : checked.errors) {
      StrAppend(&errors, errors.empty() ? "" : "\n", PathOf(pool), ":1: ", error.field, ": ",
                error.what);
    }
  }
  state.refused = declared;
  state.refused_because = errors;
  return News{pool, std::nullopt, std::move(errors)};
}

// --- writes ---

absl::Status EmbeddedStore::CheckLock() const {
  const std::string path = LockPath(options_.directory);
  struct stat held{};
  struct stat found{};
  if (fstat(lock_.get(), &held) == 0 && stat(path.c_str(), &found) == 0 &&
      held.st_dev == found.st_dev && held.st_ino == found.st_ino) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      StrCat(path,
             ": the lock was taken away, so another weir-control may write here; this one "
             "writes nothing any more: end it"));
}

const InForce* EmbeddedStore::InForceOf(const std::string& pool) const {
  const auto found = pools_.find(pool);
  return found != pools_.end() && found->second.in_force ? &*found->second.in_force : nullptr;
}

absl::Status EmbeddedStore::CheckRevision(const std::string& pool,
                                          std::string_view expected) const {
  const InForce* const in_force = InForceOf(pool);
  const bool exists = in_force != nullptr;
  if ((exists ? in_force->sha256 : "") == expected) return absl::OkStatus();
  return absl::AbortedError(StrCat("pool '", pool, "': ",
                                   !exists            ? "it does not exist any more"
                                   : expected.empty() ? "it exists"
                                                      : "it has changed since it was read"));
}

absl::StatusOr<std::optional<std::string>> EmbeddedStore::ReadText(const std::string& pool) const {
  absl::StatusOr<std::string> text = ReadWholeFile(PathOf(pool), options_.max_file_bytes);
  if (text.ok()) return *std::move(text);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  return text.status();
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
  if (absl::Status status = CheckLock(); !status.ok()) return WriteResult{status};
  if (absl::Status status = CheckRevision(pool, expected_revision); !status.ok()) {
    return WriteResult{status};
  }
  const absl::StatusOr<std::optional<std::string>> text = ReadText(pool);
  if (!text.ok()) return WriteResult{text.status()};
  const InForce* const old = InForceOf(pool);
  FoundFile found = Look(pool, *text);
  if (!found.error.empty() && !is_last) return std::nullopt;
  absl::StatusOr<std::string> declared =
      old == nullptr && !*text ? FormatDeclaredPart(record.spec(), pool, "")
                               : DeclaredFor(record, old == nullptr ? nullptr : &old->record,
                                             found.declared, PathOf(pool));
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

FoundFile EmbeddedStore::Look(const std::string& pool,
                              const std::optional<std::string>& text) const {
  const InForce* const in_force = InForceOf(pool);
  if (in_force == nullptr) {
    return {.declared = std::string(SplitPoolFile(text.value_or("")).declared)};
  }
  return LookAtFile(text, *in_force, Remembered(pool, pools_.at(pool)), PathOf(pool));
}

absl::Status EmbeddedStore::WriteAll(const std::string& pool,
                                     const std::optional<std::string>& text, FoundFile found,
                                     InForce in_force, const v1::Version* version) {
  const InForce* const old = InForceOf(pool);
  const uint64_t generation = in_force.record.shard_map().generation();
  const uint64_t old_generation = old == nullptr ? 0 : old->record.shard_map().generation();
  absl::Status status;
  if (old == nullptr) status = history_.Forget(pool);
  if (status.ok() && old == nullptr && version != nullptr) status = history_.Disown(pool);
  if (status.ok() && version != nullptr) status = history_.Add(pool, *version);
  if (status.ok()) status = WritePoolFile(pool, text, std::move(found), std::move(in_force));
  // Nothing is lost when this fails: it is done again at the next write, or on opening.
  const uint64_t last = IsDone(status) ? generation : old_generation;
  if (version != nullptr) history_.Trim(pool, last, kMaxVersions).IgnoreError();
  return status;
}

absl::Status EmbeddedStore::ReplaceFile(const std::string& pool,
                                        const std::optional<std::string>& expected,
                                        const std::string& text) const {
  if (text.size() > options_.max_file_bytes) return TooLong(PathOf(pool), options_.max_file_bytes);
  return ReplaceFileDurably(pools_directory_, FileName(pool), expected ? &*expected : nullptr,
                            text);
}

absl::Status EmbeddedStore::WritePoolFile(const std::string& pool,
                                          const std::optional<std::string>& before, FoundFile found,
                                          InForce in_force) {
  const std::string& declared = found.declared;
  const std::string text = JoinPoolFile(declared, in_force.text);
  const absl::Status status = ReplaceFile(pool, before, text);
  if (!IsDone(status)) return status;
  PoolState& state = pools_[pool];
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  const bool is_applied = spec.ok() && IsSameSpec(*spec, in_force.record.spec());
  if (is_applied) state.accepted = declared;
  if (found.is_refused && !is_applied) {
    state.refused = declared;
    state.refused_because = found.error;
  }
  // An edit that waits is found by this write's own event: one that nobody was told of, and one
  // whose held change this write has dropped. While anything is held it would push that out.
  const bool is_told = found.is_refused || SplitPoolFile(state.judged).declared == declared;
  const bool is_settled = is_told && (in_force.record.has_held() || state.refused == declared);
  state.judged = is_applied || is_settled ? text : "";
  if (!found.error.empty()) state.untold = std::move(found.error);
  state.in_force = std::move(in_force);
  return status;
}

absl::Status EmbeddedStore::Delete(const v1::PoolRecord& last, std::string_view expected_revision) {
  const std::string& pool = last.name();
  const std::lock_guard lock(mutex_);
  if (absl::Status status = CheckLock(); !status.ok()) return status;
  if (absl::Status status = CheckRevision(pool, expected_revision); !status.ok()) return status;
  if (absl::Status status = deleted_.Add(last); !IsDone(status) || expected_revision.empty()) {
    return status;  // a file that is not taken over yet is left alone
  }
  absl::Status status = history_.Disown(pool);
  if (status.ok()) status = RemoveFileDurably(pools_directory_, FileName(pool));
  if (!IsDone(status)) {
    deleted_.Withdraw(last.uid());
    const uint64_t generation = InForceOf(pool)->record.shard_map().generation();
    history_.Trim(pool, generation, kMaxVersions).IgnoreError();
    return status;
  }
  pools_.erase(pool);
  // What cannot be removed is removed before a pool of this name is written again.
  history_.Forget(pool).IgnoreError();
  return status;
}

absl::StatusOr<std::vector<v1::PoolRecord>> EmbeddedStore::ListDeleted() {
  const std::lock_guard lock(mutex_);
  return deleted_.records();
}

absl::StatusOr<std::vector<v1::Version>> EmbeddedStore::ListVersions(const std::string& pool) {
  const std::lock_guard lock(mutex_);
  if (InForceOf(pool) == nullptr) return std::vector<v1::Version>();
  return history_.List(pool);
}

absl::Status EmbeddedStore::WriteAddresses(const KnownAddresses& known) const {
  if (absl::Status status = CheckLock(); !status.ok()) return status;
  return WriteAddressFile(options_.directory, known);
}

}  // namespace weir
