#include "proxy/xds/last_good_state.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "proto/resource_id.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"

namespace weir {
namespace {

constexpr std::string_view kHeader = "weir-state 1 ";
constexpr size_t kChecksumDigits = 2 * SHA256_DIGEST_LENGTH;
// Larger than any state that was written.
constexpr size_t kMaxBytes = size_t{256} << 20;

std::string Checksum(std::string_view body) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data());
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

absl::Status Failed(std::string_view what, const std::string& path) {
  return Unavailable(path, ": ", what, ": ", std::strerror(errno));
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("cannot be written", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? absl::OkStatus() : Failed("cannot be written", path);
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string bytes;
  char piece[64 * 1024];
  while (true) {
    const ssize_t got = read(fd, piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("cannot be read", path);
    if (got == 0) return bytes;
    bytes.append(piece, static_cast<size_t>(got));
    if (bytes.size() > kMaxBytes) return InvalidArgument(path, ": is larger than any state");
  }
}

}  // namespace

std::string EncodeLastGoodState(const v1::LastGoodState& state) {
  const std::string body = state.SerializeAsString();
  return StrCat(kHeader, Checksum(body), "\n", body);
}

absl::StatusOr<v1::LastGoodState> DecodeLastGoodState(std::string_view bytes) {
  const size_t header = kHeader.size() + kChecksumDigits + 1;
  if (bytes.size() < header || !bytes.starts_with(kHeader) || bytes[header - 1] != '\n') {
    return InvalidArgument("does not begin as a state of this version");
  }
  const std::string_view body = bytes.substr(header);
  if (bytes.substr(kHeader.size(), kChecksumDigits) != Checksum(body)) {
    return InvalidArgument("its checksum is wrong: it was changed or cut");
  }
  v1::LastGoodState state;
  if (!state.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return InvalidArgument("is no state");
  }
  for (const v1::Resource& resource : state.resources()) {
    if (resource.key().name().empty() || !HasBodyOfItsType(resource)) {
      return InvalidArgument("has a resource of unknown type");
    }
  }
  return state;
}

absl::Status LastGoodState::Prepare(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failed("cannot be made", directory);
  }
  struct stat found;
  if (stat(directory.c_str(), &found) != 0) return Failed("cannot be read", directory);
  if (!S_ISDIR(found.st_mode)) return Unavailable(directory, ": is no directory");
  // Not changed by us: it may be somebody's /tmp.
  if ((found.st_mode & 077) != 0) {
    return Unavailable(directory, ": found mode ", absl::StrFormat("%04o", found.st_mode & 07777),
                       ", expected 0700, so that others cannot read it");
  }
  if (access(directory.c_str(), R_OK | W_OK | X_OK) != 0) return Failed("no access", directory);
  return absl::OkStatus();
}

LastGoodState::LastGoodState(std::string directory)
    : directory_(std::move(directory)),
      path_(directory_ + "/last-good"),
      thread_([this] { Run(); }) {}

LastGoodState::~LastGoodState() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

absl::StatusOr<v1::LastGoodState> LastGoodState::Load() const {
  const UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return absl::NotFoundError(path_);
  if (!fd.valid()) return Failed("cannot be read", path_);
  const absl::StatusOr<std::string> bytes = ReadAll(fd.get(), path_);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<v1::LastGoodState> state = DecodeLastGoodState(*bytes);
  if (!state.ok()) return InvalidArgument(path_, ": ", FromAbsl(state.status().message()));
  return state;
}

void LastGoodState::Save(const v1::LastGoodState& state) {
  std::string bytes = EncodeLastGoodState(state);
  {
    std::lock_guard lock(mutex_);
    waiting_ = std::move(bytes);
  }
  changed_.notify_one();
}

void LastGoodState::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || waiting_.has_value(); });
    if (!waiting_.has_value()) return;
    const std::string bytes = *std::exchange(waiting_, std::nullopt);
    lock.unlock();
    if (const absl::Status status = Write(bytes); !status.ok()) {
      LOG_EVENT(LogLevel::kError, "state_not_saved", {"error", FromAbsl(status.message())});
    }
    lock.lock();
  }
}

absl::Status LastGoodState::Write(const std::string& bytes) const {
  const std::string temporary = path_ + ".tmp";
  // Never one that somebody else has open, or has left with other rights.
  unlink(temporary.c_str());
  {
    const UniqueFd fd(
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return Failed("cannot be made", temporary);
    if (absl::Status status = WriteAll(fd.get(), bytes, temporary); !status.ok()) return status;
  }
  if (rename(temporary.c_str(), path_.c_str()) != 0) return Failed("cannot be replaced", path_);
  const UniqueFd directory(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || fsync(directory.get()) != 0) {
    return Failed("cannot be made durable", directory_);
  }
  return absl::OkStatus();
}

}  // namespace weir
