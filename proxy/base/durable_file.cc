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

absl::Status RemoveFileDurably(const std::string& directory, std::string_view name) {
  const std::string path = StrCat(directory, "/", name);
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return FileError(path, "removed", errno);
  }
  return SyncDirectoryAfterChange(directory);
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t max_bytes) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
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
