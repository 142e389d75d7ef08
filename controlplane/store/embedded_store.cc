#include "controlplane/store/embedded_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "controlplane/model/change.h"
#include "controlplane/model/pool_spec.h"
#include "proxy/base/check.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

constexpr std::string_view kSuffix = ".yml";
constexpr size_t kMaxFileBytes = 64 << 20;

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

// Whether what is held is another declaration, and came from the pool's file. A file that declares
// what is in force takes it back, but no change that somebody asked for by the API.
bool HoldsAnEdit(const v1::PoolRecord& record) {
  return record.has_held() && record.held().origin() == kOriginFile &&
         !IsSameSpec(record.held_content().spec(), record.spec());
}

// Whether the API declares something with `record` that is to be held, and was not before.
bool HoldsAnotherSpec(const v1::PoolRecord& record, const v1::PoolRecord& before) {
  if (!record.has_held() || record.held().origin() == kOriginFile) return false;
  const v1::PoolSpec& held = record.held_content().spec();
  return !IsSameSpec(held, record.spec()) &&
         !(before.has_held() && IsSameSpec(held, before.held_content().spec()));
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
      history_(StrCat(options_.directory, "/history")),
      deleted_(StrCat(options_.directory, "/deleted"), kMaxDeleted) {}

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
  std::set<std::string> uids;
  for (const auto& [name, state] : pools_) uids.insert(state.in_force->record.uid());
  return deleted_.Read(uids);
}

absl::Status EmbeddedStore::ReadPool(const std::string& pool) {
  const std::string path = PathOf(pool);
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  const PoolFileParts parts = SplitPoolFile(*text);
  if (parts.in_force.empty()) return absl::OkStatus();  // added by hand: Watch tells of it
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
  const bool is_settled = declared.ok() && IsSameSpec(*declared, in_force->record.spec()) &&
                          !HoldsAnEdit(in_force->record);
  if (is_settled) state.judged = *text;
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
  if (news) {
    state.is_refused |= !news->refused.empty();
  } else if (state.is_refused && !again && DeclaresWhatIsInForce(pool, state)) {
    state.is_refused = false;
    return News{pool, std::nullopt, {}};
  }
  return news;
}

bool EmbeddedStore::DeclaresWhatIsInForce(const std::string& pool, const PoolState& state) const {
  if (!state.in_force || state.judged.empty()) return false;
  const absl::StatusOr<v1::PoolSpec> spec =
      ParseDeclaredPool(SplitPoolFile(state.judged).declared, PathOf(pool), pool);
  return spec.ok() && IsSameSpec(*spec, state.in_force->record.spec());
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineFile(const std::string& pool,
                                                              bool& again) {
  const absl::StatusOr<std::string> text = ReadWholeFile(PathOf(pool), kMaxFileBytes);
  if (text.ok()) return ExamineText(pool, *text, again);
  const auto found = pools_.find(pool);
  if (!absl::IsNotFound(text.status())) {
    return News{pool, std::nullopt, std::string(FromAbsl(text.status().message()))};
  }
  if (found == pools_.end()) return std::nullopt;
  if (!found->second.in_force) {
    pools_.erase(found);
    return std::nullopt;
  }
  PoolState& state = found->second;
  if (!IsSettled(state, "", again)) return std::nullopt;
  const std::string declared = state.judged.empty()
                                   ? FormatDeclaredPart(state.in_force->record.spec(), pool, "")
                                   : std::string(SplitPoolFile(state.judged).declared);
  return Undo(pool, state, declared,
              StrCat(PathOf(pool),
                     ":1: found no file, expected it to stay (it is put back); "
                     "delete the pool with `weirctl delete`"));
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineText(const std::string& pool,
                                                              const std::string& text,
                                                              bool& again) {
  PoolState& state = pools_[pool];
  const PoolFileParts parts = SplitPoolFile(text);
  if (text == state.judged) {
    state.is_suspect = false;
    return std::nullopt;
  }
  if (!state.in_force && !parts.in_force.empty()) {
    state.judged = text;
    return News{pool, std::nullopt,
                StrCat(PathOf(pool), ":", parts.in_force_line,
                       ": found in_force, expected `declared` alone in a file that is added; to "
                       "restore a backup, stop weir-control first")};
  }
  if (state.in_force && parts.in_force != state.in_force->text) {
    if (!IsSettled(state, text, again)) return std::nullopt;
    return ExamineOtherInForce(pool, state, parts);
  }
  state.judged = text;
  return ExamineDeclared(pool, state, parts.declared);
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineOtherInForce(const std::string& pool,
                                                                      PoolState& state,
                                                                      const PoolFileParts& parts) {
  const std::string place = StrCat(PathOf(pool), ":", std::max(parts.in_force_line, 1));
  const v1::PoolRecord& current = state.in_force->record;
  const absl::StatusOr<InForce> theirs =
      ParseInForce(parts.in_force, PathOf(pool), parts.in_force_line);
  if (!theirs.ok() || theirs->record.uid() != current.uid()) {
    state.refused = parts.declared;
    return Undo(pool, state, parts.declared,
                StrCat(place,
                       ": found another in_force, expected what weir-control wrote; it is put "
                       "back, and `declared` not looked at until it is changed once more"));
  }
  if (!IsSameSpec(theirs->record.spec(), current.spec())) {
    state.refused = parts.declared;
    return Undo(pool, state, parts.declared,
                StrCat(place,
                       ": the pool was declared anew while the file was edited; compare "
                       "`declared` with `weirctl export`, and change it once more to apply it"));
  }
  // Only live changes came between: the edit is made on the declaration as it is.
  std::optional<News> failed = Undo(pool, state, parts.declared, "");
  if (!failed->refused.empty()) return failed;
  return ExamineDeclared(pool, state, parts.declared);
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
                                                       std::string_view declared,
                                                       std::string what) {
  const std::string text = JoinPoolFile(declared, state.in_force->text);
  absl::Status status = CheckLock();
  if (status.ok()) status = WriteFileDurably(pools_directory_, FileName(pool), text);
  if (IsDone(status)) state.judged = text;
  if (!status.ok()) StrAppend(&what, what.empty() ? "" : "\n", FromAbsl(status.message()));
  return News{pool, std::nullopt, std::move(what)};
}

std::optional<EmbeddedStore::News> EmbeddedStore::ExamineDeclared(const std::string& pool,
                                                                  PoolState& state,
                                                                  std::string_view declared) {
  state.refused.clear();
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  std::string errors;
  if (!spec.ok()) {
    errors = FromAbsl(spec.status().message());
  } else if (state.in_force && IsSameSpec(*spec, state.in_force->record.spec())) {
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

absl::Status EmbeddedStore::CheckRevision(const std::string& pool,
                                          std::string_view expected) const {
  const auto found = pools_.find(pool);
  const bool exists = found != pools_.end() && found->second.in_force;
  if ((exists ? found->second.in_force->sha256 : "") == expected) return absl::OkStatus();
  return absl::AbortedError(StrCat("pool '", pool, "': ",
                                   !exists            ? "it does not exist any more"
                                   : expected.empty() ? "it exists"
                                                      : "it has changed since it was read"));
}

absl::StatusOr<std::string> EmbeddedStore::DeclaredFor(
    const v1::PoolRecord& record, const std::optional<std::string>& text) const {
  const std::string& pool = record.name();
  if (!text) return FormatDeclaredPart(record.spec(), pool, "");
  const std::string_view declared = SplitPoolFile(*text).declared;
  const absl::StatusOr<v1::PoolSpec> on_disk = ParseDeclaredPool(declared, PathOf(pool), pool);
  if (on_disk.ok() && IsSameSpec(*on_disk, record.spec())) return std::string(declared);
  const auto found = pools_.find(pool);
  const v1::PoolRecord* current =
      found != pools_.end() && found->second.in_force ? &found->second.in_force->record : nullptr;
  // An edit that is held was undone, which nobody has been told of yet: its approval comes too
  // late.
  const bool is_withdrawn = current != nullptr && HoldsAnEdit(*current) &&
                            IsSameSpec(record.spec(), current->held_content().spec());
  if (is_withdrawn) {
    return absl::FailedPreconditionError(
        StrCat("pool '", pool, "': ", PathOf(pool), " does not declare any more what is held"));
  }
  if (current != nullptr && on_disk.ok() && IsSameSpec(*on_disk, current->spec())) {
    return FormatDeclaredPart(record.spec(), pool, declared);
  }
  const bool is_same_spec = current != nullptr && IsSameSpec(record.spec(), current->spec());
  // What is held anew must be what the file says, or nobody could approve it.
  const bool is_approvable =
      is_same_spec && (!HoldsAnotherSpec(record, *current) ||
                       (on_disk.ok() && IsSameSpec(*on_disk, record.held_content().spec())));
  if (is_approvable) return std::string(declared);
  return absl::FailedPreconditionError(
      StrCat("pool '", pool, "': ", PathOf(pool),
             " was edited and is not applied; apply, correct or undo that first"));
}

WriteResult EmbeddedStore::Write(const v1::PoolRecord& record, std::string_view expected_revision,
                                 const v1::Version* version) {
  const std::string& pool = record.name();
  const CheckedPool checked = ReadPoolSpec(pool, record.spec());
  if (!checked.ok()) return {ToStatus(checked.errors)};
  const uint64_t generation = record.shard_map().generation();
  CHECK(version == nullptr || version->generation() == generation);

  const std::lock_guard lock(mutex_);
  if (absl::Status status = CheckLock(); !status.ok()) return {status};
  if (absl::Status status = CheckRevision(pool, expected_revision); !status.ok()) return {status};
  const absl::StatusOr<std::string> text = ReadWholeFile(PathOf(pool), kMaxFileBytes);
  if (!text.ok() && !absl::IsNotFound(text.status())) return {text.status()};
  absl::StatusOr<std::string> declared =
      DeclaredFor(record, text.ok() ? std::make_optional(*text) : std::nullopt);
  if (!declared.ok()) return {declared.status()};

  const auto found = pools_.find(pool);
  const uint64_t old_generation = found != pools_.end() && found->second.in_force
                                      ? found->second.in_force->record.shard_map().generation()
                                      : 0;
  InForce in_force = FormatInForce(record);
  WriteResult result{.status = absl::OkStatus(), .revision = in_force.sha256};
  if (expected_revision.empty()) result.status = history_.Forget(pool);
  if (result.ok() && version != nullptr) result.status = history_.Add(pool, *version);
  if (result.ok()) result.status = WritePoolFile(pool, *declared, std::move(in_force));
  // Nothing is lost when this fails: it is done again at the next write, or on opening.
  const uint64_t last = result.is_made() ? generation : old_generation;
  if (version != nullptr) history_.Trim(pool, last, kMaxVersions).IgnoreError();
  return result;
}

absl::Status EmbeddedStore::WritePoolFile(const std::string& pool, std::string_view declared,
                                          InForce in_force) {
  const std::string text = JoinPoolFile(declared, in_force.text);
  const absl::Status status = WriteFileDurably(pools_directory_, FileName(pool), text);
  if (!IsDone(status)) return status;
  PoolState& state = pools_[pool];
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  const bool is_applied = spec.ok() && IsSameSpec(*spec, in_force.record.spec());
  // An edit that waits is found by this write's own event: one that nobody was told of, and one
  // whose held change this write has dropped. While anything is held it would push that out.
  const bool is_told = SplitPoolFile(state.judged).declared == declared;
  const bool is_settled = is_told && (in_force.record.has_held() || state.refused == declared);
  state.judged = is_applied || is_settled ? text : "";
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
  const absl::Status status = RemoveFileDurably(pools_directory_, FileName(pool));
  if (!IsDone(status)) {
    deleted_.Withdraw(last.uid());
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
  const auto found = pools_.find(pool);
  if (found == pools_.end() || !found->second.in_force) return std::vector<v1::Version>();
  return history_.List(pool);
}

absl::Status EmbeddedStore::WriteAddresses(const ResolvedAddresses& resolved) const {
  if (absl::Status status = CheckLock(); !status.ok()) return status;
  return WriteAddressFile(options_.directory, resolved);
}

}  // namespace weir
