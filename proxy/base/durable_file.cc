#include "proxy/base/durable_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"

namespace weir {
namespace {

constexpr std::string_view kTemporarySuffix = ".weir-tmp";

// errno of the first thing that failed, or 0.
int WriteAndSync(int fd, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

int SyncDirectory(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return fsync(fd.get()) == 0 ? 0 : errno;
}

absl::Status SyncDirectoryAfterChange(const std::string& path) {
  const int error = SyncDirectory(path);
  if (error == 0) return absl::OkStatus();
  return absl::DataLossError(StrCat(path, ": cannot be synchronised: ", std::strerror(error)));
}

// Creates `path` anew with `contents` on the disk.
int WriteNewFile(const std::string& path, std::string_view contents) {
  // Never into one that somebody else has open, or has left with other rights.
  unlink(path.c_str());
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno;
  return WriteAndSync(fd.get(), contents);
}

// Whether the file has these contents; with null, whether there is none.
bool Has(const std::string& path, const std::string* contents) {
  const absl::StatusOr<std::string> found =
      ReadWholeFile(path, contents == nullptr ? 0 : contents->size());
  if (contents == nullptr) return absl::IsNotFound(found.status());
  return found.ok() && *found == *contents;
}

// errno, or 0.
int Rename(const std::string& from, const std::string& to, unsigned flags) {
  return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0 ? 0 : errno;
}

// Somebody saved what came out as `temporary` when `ours` went into its place: what was saved last
// goes back there, and is not always that.
void PutBack(const std::string& temporary, const std::string& path, const std::string& ours) {
  if (Rename(temporary, path, RENAME_EXCHANGE) != 0) {
    Rename(temporary, path, 0);  // it is all that there is
  } else if (!Has(temporary, &ours)) {
    Rename(temporary, path, RENAME_EXCHANGE);
  }
}

// Renames `temporary`, which has `ours`, to `path`, unless that is not as expected: ECANCELED.
// errno, or 0; `temporary` may be left.
int RenameOver(const std::string& temporary, const std::string& path, const std::string* expected,
               const std::string& ours) {
  const int error =
      Rename(temporary, path, expected == nullptr ? RENAME_NOREPLACE : RENAME_EXCHANGE);
  if (error == (expected == nullptr ? EEXIST : ENOENT)) return ECANCELED;
  if (error == EINVAL || error == ENOSYS) {  // the file system cannot do it
    return Has(path, expected) ? Rename(temporary, path, 0) : ECANCELED;
  }
  if (error != 0 || expected == nullptr || Has(temporary, expected)) return error;
  PutBack(temporary, path, ours);
  return ECANCELED;
}

}  // namespace

absl::Status FileError(std::string_view path, std::string_view what, int error) {
  const std::string message = StrCat(path, ": cannot be ", what, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return is_full ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

std::string TemporaryName(std::string_view file_name) {
  return StrCat(".", file_name, kTemporarySuffix);
}

bool IsTemporaryName(std::string_view file_name) {
  return file_name.starts_with('.') && file_name.ends_with(kTemporarySuffix);
}

absl::Status MakePrivateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) {
    const size_t slash = path.rfind('/');
    return SyncDirectoryAfterChange(slash == path.npos ? "." : path.substr(0, slash + 1));
  }
  const int error = errno;
  struct stat status;
  if (error == EEXIST && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return absl::OkStatus();
  }
  return FileError(path, "created as a directory", error);
}

absl::Status WriteFileDurably(const std::string& directory, std::string_view name,
                              std::string_view contents) {
  const std::string path = StrCat(directory, "/", name);
  const std::string temporary = StrCat(directory, "/", TemporaryName(name));
  int error = WriteNewFile(temporary, contents);
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return FileError(path, "written", error);
  }
  return SyncDirectoryAfterChange(directory);
}

absl::Status ReplaceFileDurably(const std::string& directory, std::string_view name,
                                const std::string* expected, std::string_view contents) {
  const std::string path = StrCat(directory, "/", name);
  const std::string temporary = StrCat(directory, "/", TemporaryName(name));
  int error = WriteNewFile(temporary, contents);
  if (error == 0) error = RenameOver(temporary, path, expected, std::string(contents));
  unlink(temporary.c_str());
  if (error == ECANCELED) {
    SyncDirectory(directory);
    return absl::AbortedError(StrCat(path, ": somebody else writes it at the same time"));
  }
  return error == 0 ? SyncDirectoryAfterChange(directory) : FileError(path, "written", error);
}

absl::Status RemoveFileDurably(const std::string& directory, std::string_view name) {
  const std::string path = StrCat(directory, "/", name);
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return FileError(path, "removed", errno);
  }
  return SyncDirectoryAfterChange(directory);
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t max_bytes,
                                          SymbolicLinks links) {
  const int follow = links == SymbolicLinks::kFollow ? 0 : O_NOFOLLOW;
  const UniqueFd fd(open(path.c_str(), O_RDONLY | follow | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && errno != ELOOP) return FileError(path, "read", errno);
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(StrCat(path, ": expected a regular file"));
  }
  std::string contents;
  char buffer[64 * 1024];
  while (contents.size() <= max_bytes) {
    const ssize_t length = read(fd.get(), buffer, sizeof(buffer));
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return FileError(path, "read", errno);
    if (length == 0) return contents;
    contents.append(buffer, static_cast<size_t>(length));
  }
  return absl::FailedPreconditionError(
      StrCat(path, ": expected a file of at most ", max_bytes, " bytes"));
}

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return FileError(path, "read", errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  closedir(directory);
  if (error != 0) return FileError(path, "read", error);
  std::ranges::sort(names);
  return names;
}

}  // namespace weir
