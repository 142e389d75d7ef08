#include "controlplane/store/pool_directory.h"

#include <utility>

#include "controlplane/model/pool_spec.h"
#include "controlplane/store/pool_store.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

constexpr std::string_view kSuffix = ".yml";

std::string FileName(std::string_view pool) { return StrCat(pool, kSuffix); }

}  // namespace

PoolDirectory::PoolDirectory(std::string directory, size_t max_file_bytes,
                             const DirectoryLock& lock)
    : directory_(std::move(directory)), max_file_bytes_(max_file_bytes), lock_(lock) {}

std::string PoolDirectory::PathOf(const std::string& pool) const {
  return StrCat(directory_, "/", FileName(pool));
}

std::optional<std::string> PoolDirectory::PoolOf(std::string_view file_name) {
  if (file_name.starts_with('.') || !file_name.ends_with(kSuffix)) return std::nullopt;
  file_name.remove_suffix(kSuffix.size());
  return std::string(file_name);
}

std::set<std::string> PoolDirectory::FileNames() const {
  std::set<std::string> names;
  for (const auto& [pool, file] : files_) names.insert(FileName(pool));
  const absl::StatusOr<std::vector<std::string>> found = ListDirectory(directory_);
  if (found.ok()) names.insert(found->begin(), found->end());
  return names;
}

// --- records ---

absl::StatusOr<std::vector<std::string>> PoolDirectory::ReadAll() {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  if (!names.ok()) return names.status();
  std::vector<std::string> without_record;
  for (const std::string& name : *names) {
    absl::Status status;
    if (IsTemporaryName(name)) status = RemoveFileDurably(directory_, name);
    if (const auto pool = PoolOf(name)) status = Read(*pool, without_record);
    if (!status.ok()) return status;
  }
  return without_record;
}

absl::Status PoolDirectory::Read(const std::string& pool,
                                 std::vector<std::string>& without_record) {
  const std::string path = PathOf(pool);
  const absl::StatusOr<std::string> text = ReadWholeFile(path, max_file_bytes_);
  if (!text.ok()) return text.status();
  const PoolFileParts parts = SplitPoolFile(*text);
  if (parts.in_force.empty()) {
    without_record.push_back(pool);
    return absl::OkStatus();
  }
  absl::StatusOr<InForce> in_force = ParseInForce(parts.in_force, path, parts.in_force_line);
  if (!in_force.ok()) return in_force.status();
  if (in_force->record.name() != pool) {
    return absl::DataLossError(StrCat(path, ":", parts.in_force_line,
                                      ": in_force is that of pool '", in_force->record.name(),
                                      "'; rename the file back"));
  }
  File& file = files_[pool];
  const absl::StatusOr<v1::PoolSpec> declared = ParseDeclaredPool(parts.declared, path, pool);
  if (declared.ok() && IsSameSpec(*declared, in_force->record.spec())) {
    file.accepted = parts.declared;
    if (!HoldsAnEdit(in_force->record)) file.judged = *text;
  }
  file.in_force = *std::move(in_force);
  return absl::OkStatus();
}

const InForce* PoolDirectory::InForceOf(const std::string& pool) const {
  const auto found = files_.find(pool);
  return found != files_.end() && found->second.in_force ? &*found->second.in_force : nullptr;
}

std::vector<const InForce*> PoolDirectory::AllInForce() const {
  std::vector<const InForce*> all;
  for (const auto& [pool, file] : files_) {
    if (file.in_force) all.push_back(&*file.in_force);
  }
  return all;
}

// --- writes ---

absl::StatusOr<std::optional<std::string>> PoolDirectory::ReadText(const std::string& pool) const {
  absl::StatusOr<std::string> text = ReadWholeFile(PathOf(pool), max_file_bytes_);
  if (text.ok()) return *std::move(text);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  return text.status();
}

FoundFile PoolDirectory::Look(const std::string& pool,
                              const std::optional<std::string>& text) const {
  const InForce* const in_force = InForceOf(pool);
  if (in_force == nullptr) {
    return {.declared = std::string(SplitPoolFile(text.value_or("")).declared)};
  }
  return LookAtFile(text, *in_force, Remembered(pool, files_.at(pool)), PathOf(pool));
}

absl::Status PoolDirectory::Replace(const std::string& pool,
                                    const std::optional<std::string>& expected,
                                    const std::string& text) const {
  if (text.size() > max_file_bytes_) return TooLong(PathOf(pool), max_file_bytes_);
  return ReplaceFileDurably(directory_, FileName(pool), expected ? &*expected : nullptr, text);
}

absl::Status PoolDirectory::Write(const std::string& pool, const std::optional<std::string>& before,
                                  FoundFile found, InForce in_force) {
  const std::string& declared = found.declared;
  const std::string text = JoinPoolFile(declared, in_force.text);
  const absl::Status status = Replace(pool, before, text);
  if (!IsMade(status)) return status;
  File& file = files_[pool];
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  const bool is_applied = spec.ok() && IsSameSpec(*spec, in_force.record.spec());
  if (is_applied) file.accepted = declared;
  if (found.is_refused && !is_applied) {
    file.refused = declared;
    file.refused_because = found.error;
  }
  // An edit that waits is found by this write's own event: one that nobody was told of, and one
  // whose held change this write has dropped. While anything is held it would push that out.
  const bool is_told = found.is_refused || SplitPoolFile(file.judged).declared == declared;
  const bool is_settled = is_told && (in_force.record.has_held() || file.refused == declared);
  file.judged = is_applied || is_settled ? text : "";
  if (!found.error.empty()) file.untold = std::move(found.error);
  file.in_force = std::move(in_force);
  return status;
}

absl::Status PoolDirectory::Remove(const std::string& pool) {
  const absl::Status status = RemoveFileDurably(directory_, FileName(pool));
  if (IsMade(status)) files_.erase(pool);
  return status;
}

// --- edits by hand ---

std::optional<PoolDirectory::News> PoolDirectory::Examine(const std::string& pool, bool& again) {
  std::optional<News> news = ExamineFile(pool, again);
  const auto found = files_.find(pool);
  if (found == files_.end()) return news;
  File& file = found->second;
  if (!file.untold.empty()) {
    again = true;
    if (!news) news = News{pool, std::nullopt, std::exchange(file.untold, {})};
  }
  if (news) {
    file.is_refused |= !news->refused.empty();
  } else if (file.is_refused && !again && IsInOrder(pool, file)) {
    file.is_refused = false;
    return News{pool, std::nullopt, {}};
  }
  return news;
}

void PoolDirectory::Settle(const std::string& pool, bool is_taken) {
  const auto found = files_.find(pool);
  if (found == files_.end()) return;
  found->second.is_refused = !is_taken;
  if (!is_taken) found->second.judged.clear();
}

bool PoolDirectory::IsInOrder(const std::string& pool, const File& file) const {
  if (!file.in_force || file.judged.empty()) return false;
  const std::string_view declared = SplitPoolFile(file.judged).declared;
  if (declared != file.refused) return true;
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  return spec.ok() && IsSameSpec(*spec, file.in_force->record.spec());
}

std::optional<PoolDirectory::News> PoolDirectory::ExamineFile(const std::string& pool,
                                                              bool& again) {
  const absl::StatusOr<std::optional<std::string>> text = ReadText(pool);
  if (!text.ok()) return News{pool, std::nullopt, std::string(FromAbsl(text.status().message()))};
  const auto found = files_.find(pool);
  if (found != files_.end() && found->second.in_force) {
    return ExamineStored(pool, found->second, *text, again);
  }
  if (*text) return ExamineAdded(pool, files_[pool], **text);
  files_.erase(pool);
  return std::nullopt;
}

std::optional<PoolDirectory::News> PoolDirectory::ExamineAdded(const std::string& pool, File& file,
                                                               const std::string& text) {
  if (text == file.judged) return std::nullopt;
  file.judged = text;
  const PoolFileParts parts = SplitPoolFile(text);
  if (parts.in_force.empty()) return ExamineDeclared(pool, file, parts.declared);
  return News{pool, std::nullopt,
              StrCat(PathOf(pool), ":", parts.in_force_line,
                     ": found in_force, expected `declared` alone in a file that is added; to "
                     "restore a backup, stop weir-control first")};
}

std::optional<PoolDirectory::News> PoolDirectory::ExamineStored(
    const std::string& pool, File& file, const std::optional<std::string>& text, bool& again) {
  if (text && *text == file.judged) {
    file.is_suspect = false;
    return std::nullopt;
  }
  FoundFile found = LookAtFile(text, *file.in_force, Remembered(pool, file), PathOf(pool));
  if (!found.is_whole) {
    if (!IsSettled(file, text.value_or(""), again)) return std::nullopt;
    return Undo(pool, file, text, std::move(found), again);
  }
  file.judged = *text;
  return ExamineDeclared(pool, file, found.declared);
}

std::string PoolDirectory::Remembered(const std::string& pool, const File& file) const {
  if (!file.judged.empty()) return std::string(SplitPoolFile(file.judged).declared);
  if (!file.accepted.empty()) return file.accepted;
  return FormatDeclaredPart(file.in_force->record.spec(), pool, "");
}

bool PoolDirectory::IsSettled(File& file, const std::string& text, bool& again) {
  if (file.is_suspect && file.suspect == text) {
    file.is_suspect = false;
    return true;
  }
  file.is_suspect = again = true;
  file.suspect = text;
  return false;
}

std::optional<PoolDirectory::News> PoolDirectory::Undo(const std::string& pool, File& file,
                                                       const std::optional<std::string>& text,
                                                       FoundFile found, bool& again) {
  const bool was_judged = !file.judged.empty();
  const std::string undone = JoinPoolFile(found.declared, file.in_force->text);
  absl::Status status = lock_.Check();
  if (status.ok()) status = Replace(pool, text, undone);
  if (absl::IsAborted(status)) {  // it was saved once more
    again = true;
    return std::nullopt;
  }
  if (!status.ok()) {
    StrAppend(&found.error, found.error.empty() ? "" : "\n", FromAbsl(status.message()));
  }
  if (!IsMade(status)) return News{pool, std::nullopt, std::move(found.error)};
  if (found.error.empty()) {
    file.judged = undone;
    return ExamineDeclared(pool, file, found.declared);
  }
  if (found.is_refused) {
    file.refused = found.declared;
    file.refused_because = found.error;
  } else if (found.declared == file.refused && file.refused_because != found.error) {
    StrAppend(&found.error, "\n", file.refused_because);
  }
  // What nobody has been told of is told of next.
  file.judged = found.is_refused || was_judged ? undone : "";
  return News{pool, std::nullopt, std::move(found.error)};
}

std::optional<PoolDirectory::News> PoolDirectory::ExamineDeclared(const std::string& pool,
                                                                  File& file,
                                                                  std::string_view declared) {
  file.refused.clear();
  file.refused_because.clear();
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(declared, PathOf(pool), pool);
  std::string errors;
  if (!spec.ok()) {
    errors = FromAbsl(spec.status().message());
  } else if (file.in_force && IsSameSpec(*spec, file.in_force->record.spec())) {
    file.accepted = declared;
    if (HoldsAnEdit(file.in_force->record)) return News{pool, *spec, {}};  // it was undone
    return std::nullopt;
  } else {
    const CheckedPool checked = ReadPoolSpec(pool, *spec);
    if (checked.ok()) return News{pool, *spec, {}};
    for (const FieldError& error : checked.errors) {
      StrAppend(&errors, errors.empty() ? "" : "\n", PathOf(pool), ":1: ", error.field, ": ",
                error.what);
    }
  }
  file.refused = declared;
  file.refused_because = errors;
  return News{pool, std::nullopt, std::move(errors)};
}

}  // namespace weir
