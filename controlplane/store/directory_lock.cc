#include "controlplane/store/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"

namespace weir {

absl::StatusOr<DirectoryLock> DirectoryLock::Take(const std::string& directory) {
  std::string path = StrCat(directory, "/lock");
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
  return DirectoryLock(std::move(path), std::move(fd));
}

absl::Status DirectoryLock::Check() const {
  struct stat held{};
  struct stat found{};
  if (fstat(fd_.get(), &held) == 0 && stat(path_.c_str(), &found) == 0 &&
      held.st_dev == found.st_dev && held.st_ino == found.st_ino) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      StrCat(path_,
             ": the lock was taken away, so another weir-control may write here; this one "
             "writes nothing any more: end it"));
}

}  // namespace weir
