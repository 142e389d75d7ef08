#include "proxy/server/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proxy/base/strings.h"

namespace weir {
namespace {

// The first line, for the error message.
std::string Holder(int fd) {
  char text[32] = {};
  const ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
  const std::string_view line(text, got > 0 ? static_cast<size_t>(got) : 0);
  return std::string(line.substr(0, line.find('\n')));
}

// Whether the path still names the open file: another process may have removed it.
bool IsStill(const std::string& path, int fd) {
  struct stat by_path;
  struct stat by_fd;
  return stat(path.c_str(), &by_path) == 0 && fstat(fd, &by_fd) == 0 &&
         by_path.st_dev == by_fd.st_dev && by_path.st_ino == by_fd.st_ino;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PidFile>> PidFile::Create(const std::string& path) {
  while (true) {
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd.valid()) return Unavailable("pid file '", path, "': ", std::strerror(errno));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      return Unavailable("pid file '", path, "': process ", Holder(fd.get()), " holds it");
    }
    // Its last holder may have removed it between open and flock.
    if (!IsStill(path, fd.get())) continue;
    const std::string text = StrCat(getpid(), "\n");
    if (ftruncate(fd.get(), 0) != 0 ||
        pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      return Unavailable("pid file '", path, "': ", std::strerror(errno));
    }
    return std::unique_ptr<PidFile>(new PidFile(path, std::move(fd)));
  }
}

PidFile::~PidFile() {
  if (IsStill(path_, fd_.get())) unlink(path_.c_str());
}

}  // namespace weir
