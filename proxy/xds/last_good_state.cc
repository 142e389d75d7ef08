#include "proxy/xds/last_good_state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "proto/resource_id.h"
#include "proxy/base/log.h"
#include "proxy/base/sha256.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kHeader = "weir-state 1 ";
constexpr char kFileName[] = "last-good";
// Larger than any state that was written.
constexpr size_t kMaxBytes = size_t{256} << 20;

absl::Status Failed(std::string_view what, const std::string& path) {
  return Unavailable(path, ": ", what, ": ", std::strerror(errno));
}

}  // namespace

std::string EncodeLastGoodState(const v1::LastGoodState& state) {
  const std::string body = state.SerializeAsString();
  return StrCat(kHeader, Sha256Hex(body), "\n", body);
}

absl::StatusOr<v1::LastGoodState> DecodeLastGoodState(std::string_view bytes) {
  const size_t header = kHeader.size() + kSha256HexDigits + 1;
  if (bytes.size() < header || !bytes.starts_with(kHeader) || bytes[header - 1] != '\n') {
    return InvalidArgument("does not begin as a state of this version");
  }
  const std::string_view body = bytes.substr(header);
  if (bytes.substr(kHeader.size(), kSha256HexDigits) != Sha256Hex(body)) {
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

struct LastGoodState::Writer {
  Writer(std::string to, Write function) : directory(std::move(to)), write(std::move(function)) {}
  void Run();

  const std::string directory;
  const Write write;

  std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  std::optional<std::string> waiting;
  bool ending = false;     // nothing more comes
  bool done = false;       // the thread is at its end
  bool abandoned = false;  // nobody waits for it
};

void LastGoodState::Writer::Run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return ending || waiting.has_value(); });
    if (!waiting.has_value()) break;
    const std::string bytes = *std::exchange(waiting, std::nullopt);
    lock.unlock();
    const absl::Status status = write(directory, kFileName, bytes);
    lock.lock();
    // The process may be at its end, and the log with it.
    if (!status.ok() && !abandoned) {
      LOG_EVENT(LogLevel::kError, "state_not_saved", {"error", FromAbsl(status.message())});
    }
  }
  done = true;
  changed.notify_all();
}

LastGoodState::LastGoodState(std::string directory, Write write)
    : path_(StrCat(directory, "/", kFileName)),
      writer_(std::make_shared<Writer>(std::move(directory), std::move(write))),
      thread_([writer = writer_] { writer->Run(); }) {}

LastGoodState::~LastGoodState() {
  std::unique_lock lock(writer_->mutex);
  writer_->ending = true;
  writer_->changed.notify_all();
  writer_->abandoned = !writer_->changed.wait_for(lock, absl::ToChronoNanoseconds(kEndLimit),
                                                  [this] { return writer_->done; });
  lock.unlock();
  if (writer_->abandoned) {
    LOG_EVENT(LogLevel::kError, "state_not_saved", {"error", "the disk takes too long"});
    thread_.detach();
  } else {
    thread_.join();
  }
}

absl::StatusOr<v1::LastGoodState> LastGoodState::Load() const {
  const absl::StatusOr<std::string> bytes = ReadWholeFile(path_, kMaxBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<v1::LastGoodState> state = DecodeLastGoodState(*bytes);
  if (!state.ok()) return InvalidArgument(path_, ": ", FromAbsl(state.status().message()));
  return state;
}

void LastGoodState::Save(const v1::LastGoodState& state) {
  std::string bytes = EncodeLastGoodState(state);
  std::lock_guard lock(writer_->mutex);
  writer_->waiting = std::move(bytes);
  writer_->changed.notify_all();
}

}  // namespace weir
