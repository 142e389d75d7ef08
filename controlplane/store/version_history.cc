#include "controlplane/store/version_history.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <ranges>

#include "controlplane/store/pool_file.h"
#include "google/protobuf/util/json_util.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kSuffix = ".json";

// Of a file that is there as long as a history is disowned. Trim removes it as a temporary one.
constexpr std::string_view kDisowned = "disowned";

std::string FileName(uint64_t generation) { return StrCat(generation, kSuffix); }

std::optional<uint64_t> GenerationOf(std::string_view file_name) {
  if (!file_name.ends_with(kSuffix)) return std::nullopt;
  file_name.remove_suffix(kSuffix.size());
  return ParseInt<uint64_t>(file_name);
}

}  // namespace

absl::Status VersionHistory::Add(const std::string& pool, const v1::Version& version) {
  const std::string directory = DirectoryOf(pool);
  const std::string name = FileName(version.generation());
  const std::string text = StrCat(FormatJson(version, 0), "\n");
  if (text.size() > max_bytes_) return TooLong(StrCat(directory, "/", name), max_bytes_);
  absl::Status status = MakePrivateDirectory(directory);
  if (status.ok()) status = WriteFileDurably(directory, name, text);
  return absl::IsDataLoss(status) ? absl::UnavailableError(status.message()) : status;
}

absl::Status VersionHistory::Disown(const std::string& pool) {
  const std::string directory = DirectoryOf(pool);
  absl::Status status = MakePrivateDirectory(directory);
  if (status.ok()) status = WriteFileDurably(directory, TemporaryName(kDisowned), "");
  return absl::IsDataLoss(status) ? absl::UnavailableError(status.message()) : status;
}

absl::StatusOr<bool> VersionHistory::ShowsAPool(const std::string& pool) const {
  const absl::StatusOr<std::vector<uint64_t>> generations = Generations(pool);
  if (!generations.ok()) return generations.status();
  const std::string mark = StrCat(DirectoryOf(pool), "/", TemporaryName(kDisowned));
  return !generations->empty() && access(mark.c_str(), F_OK) != 0;
}

absl::StatusOr<std::vector<std::string>> VersionHistory::Names() const {
  return ListDirectory(directory_);
}

absl::StatusOr<std::vector<uint64_t>> VersionHistory::Generations(const std::string& pool) const {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(DirectoryOf(pool));
  if (absl::IsNotFound(names.status())) return std::vector<uint64_t>();
  if (!names.ok()) return names.status();
  std::vector<uint64_t> generations;
  for (const std::string& name : *names) {
    if (const auto generation = GenerationOf(name)) generations.push_back(*generation);
  }
  std::ranges::sort(generations);
  return generations;
}

absl::StatusOr<std::vector<v1::Version>> VersionHistory::List(const std::string& pool) const {
  absl::StatusOr<std::vector<uint64_t>> generations = Generations(pool);
  if (!generations.ok()) return generations.status();
  std::vector<v1::Version> versions;
  for (auto generation = generations->rbegin(); generation != generations->rend(); ++generation) {
    std::optional<v1::Version> version = Read(pool, *generation);
    if (version) versions.push_back(*std::move(version));
  }
  return versions;
}

std::optional<v1::Version> VersionHistory::Read(const std::string& pool,
                                                uint64_t generation) const {
  const std::string path = StrCat(DirectoryOf(pool), "/", FileName(generation));
  v1::Version version;
  std::string error;
  const absl::StatusOr<std::string> text = ReadWholeFile(path, max_bytes_);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) {
    error = std::string(text.status().message());
  } else if (const auto read = google::protobuf::util::JsonStringToMessage(*text, &version);
             !read.ok()) {
    error = StrCat(path, ": ", read.ToString());
  } else if (version.generation() != generation) {
    error = StrCat(path, ": found generation ", version.generation(), ", expected ", generation);
  } else {
    return version;
  }
  version.Clear();
  version.set_generation(generation);
  version.set_error(std::move(error));
  return version;
}

absl::Status VersionHistory::Trim(const std::string& pool, uint64_t generation, size_t keep) {
  const std::string directory = DirectoryOf(pool);
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (!names.ok()) return names.status();
  // Backwards: the mark of Disown, which begins with a dot, goes last.
  for (const std::string& name : std::views::reverse(*names)) {
    const bool is_ahead = GenerationOf(name).value_or(0) > generation;
    if ((is_ahead || IsTemporaryName(name)) && unlink(StrCat(directory, "/", name).c_str()) != 0) {
      return FileError(StrCat(directory, "/", name), "removed", errno);
    }
  }
  absl::StatusOr<std::vector<uint64_t>> generations = Generations(pool);
  if (!generations.ok()) return generations.status();
  for (size_t i = 0; i + keep < generations->size(); ++i) {
    const std::string path = StrCat(directory, "/", FileName((*generations)[i]));
    if (unlink(path.c_str()) != 0) return FileError(path, "removed", errno);
  }
  return absl::OkStatus();
}

absl::Status VersionHistory::Forget(const std::string& pool) {
  if (absl::Status status = Trim(pool, 0, 0); !status.ok()) return status;
  const std::string directory = DirectoryOf(pool);
  // Files that are not the history's may stay: no version of the pool is left.
  if (rmdir(directory.c_str()) == 0 || errno == ENOENT || errno == ENOTEMPTY) {
    return absl::OkStatus();
  }
  return FileError(directory, "removed", errno);
}

}  // namespace weir
