#include "proxy/base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "absl/time/clock.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr int kMaxLevel = static_cast<int>(LogLevel::kVvvverb);
constexpr size_t kMaxValueBytes = 1024;
constexpr std::string_view kTruncated = " truncated=true";
constexpr std::array<std::string_view, kMaxLevel + 1> kLevelNames = {
    "emerg", "alert", "crit", "error", "warn",   "notice",
    "info",  "debug", "verb", "vverb", "vvverb", "vvvverb"};

// A file's descriptor number is taken once and kept for the life of the process: Reopen puts
// another file behind the same number (dup3), so that a thread about to write can never write into
// somebody else's descriptor.
struct Output {
  std::mutex mutex;  // guards Open and Reopen, never a line
  std::string file;  // "" for stderr
  int file_fd = -1;  // -1 until the first file
  std::atomic<int> fd{STDERR_FILENO};
  std::atomic<bool> may_block{true};  // a pipe, socket or terminal; unknown until Open
  std::atomic<uint64_t> lost{0};
  std::atomic<uint64_t> lost_unreported{0};
  std::atomic<absl::Time (*)()> clock{nullptr};
};

// Never destroyed: threads may log while the process exits.
Output& TheOutput() {
  static Output& output = *new Output;
  return output;
}

bool IsRegularFile(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

// Requires output.mutex.
absl::Status OpenFile(Output& output, const std::string& file) {
  const int opened = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
  if (opened < 0) return InvalidArgument("cannot open log file '", file, "': ", strerror(errno));
  if (output.file_fd < 0) {
    output.file_fd = opened;
  } else {
    const int moved = dup3(opened, output.file_fd, O_CLOEXEC);
    const int error = errno;
    close(opened);
    if (moved < 0) return Internal("cannot switch to log file '", file, "': ", strerror(error));
  }
  output.file = file;
  output.may_block.store(!IsRegularFile(output.file_fd), std::memory_order_relaxed);
  output.fd.store(output.file_fd, std::memory_order_relaxed);
  return absl::OkStatus();
}

bool IsPlain(char c) { return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\'; }

void AppendEscaped(std::string* line, std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  line->push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      line->append({'\\', c});
    } else if (c == '\n') {
      line->append("\\n");
    } else if (c == '\r') {
      line->append("\\r");
    } else if (c == '\t') {
      line->append("\\t");
    } else if (c >= ' ' && c < 0x7f) {
      line->push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      line->append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  line->push_back('"');
}

void AppendValue(std::string* line, const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    const bool cut = text->size() > kMaxValueBytes;
    const std::string shown =
        cut ? StrCat(text->substr(0, kMaxValueBytes), "...") : std::string(*text);
    if (!shown.empty() && std::all_of(shown.begin(), shown.end(), IsPlain)) {
      line->append(shown);
    } else {
      AppendEscaped(line, shown);
    }
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    line->append(*flag ? "true" : "false");
  } else if (const auto* real = std::get_if<double>(&value)) {
    StrAppend(line, *real);
  } else if (const auto* whole = std::get_if<int64_t>(&value)) {
    StrAppend(line, *whole);
  } else {
    StrAppend(line, std::get<uint64_t>(value));
  }
}

// False when writing now would or might block: the reader of a pipe or terminal is behind.
bool CanWrite(int fd) {
  pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
}

bool WriteLine(const Output& output, std::string_view line) {
  const int fd = output.fd.load(std::memory_order_relaxed);
  // At most kMaxLineBytes, so that a pipe that can take anything takes it whole.
  if (output.may_block.load(std::memory_order_relaxed) && !CanWrite(fd)) return false;
  ssize_t written;
  do {
    written = write(fd, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(line.size());
}

// `... lost=N` in place of the line's newline.
void AppendLost(std::string* line, uint64_t lost) {
  line->pop_back();
  StrAppend(line, " lost=", lost, "\n");
}

}  // namespace

absl::Status Log::Open(const std::string& file) {
  Output& output = TheOutput();
  std::lock_guard lock(output.mutex);
  if (!file.empty()) return OpenFile(output, file);
  output.file.clear();
  output.may_block.store(!IsRegularFile(STDERR_FILENO), std::memory_order_relaxed);
  output.fd.store(STDERR_FILENO, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status Log::Reopen() {
  Output& output = TheOutput();
  std::lock_guard lock(output.mutex);
  if (output.file.empty()) return absl::OkStatus();
  return OpenFile(output, std::string(output.file));
}

int Log::SetLevel(int level) {
  const int clamped = std::clamp(level, 0, kMaxLevel);
  level_.store(clamped, std::memory_order_relaxed);
  return clamped;
}

int Log::LevelUp() { return SetLevel(level() + 1); }
int Log::LevelDown() { return SetLevel(level() - 1); }

uint64_t Log::lost_lines() { return TheOutput().lost.load(std::memory_order_relaxed); }

void Log::SetClockForTest(absl::Time (*clock)()) {
  TheOutput().clock.store(clock, std::memory_order_relaxed);
}

absl::Time Log::Now() {
  absl::Time (*clock)() = TheOutput().clock.load(std::memory_order_relaxed);
  return clock == nullptr ? absl::Now() : clock();
}

std::string_view LogLevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

std::string FormatLogLine(absl::Time time, LogLevel level, std::string_view event,
                          std::initializer_list<LogField> fields) {
  // Room for what may still be appended: ` truncated=true`, ` lost=` with 20 digits, the newline.
  constexpr size_t kRoom = Log::kMaxLineBytes - kTruncated.size() - 26 - 1;
  const std::string stamp = absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone());
  std::string line = StrCat(stamp, " ", LogLevelName(level), " ", event);
  for (const LogField& field : fields) {
    const size_t before = line.size();
    StrAppend(&line, " ", field.key(), "=");
    AppendValue(&line, field.value());
    if (line.size() > kRoom) {
      line.resize(before);
      line.append(kTruncated);
      break;
    }
  }
  line.push_back('\n');
  return line;
}

void LogEvent(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!Log::Enabled(level)) return;
  Output& output = TheOutput();
  std::string line = FormatLogLine(Log::Now(), level, event, fields);
  const uint64_t lost = output.lost_unreported.exchange(0, std::memory_order_relaxed);
  if (lost != 0) AppendLost(&line, lost);
  if (WriteLine(output, line)) return;
  output.lost.fetch_add(1, std::memory_order_relaxed);
  output.lost_unreported.fetch_add(lost + 1, std::memory_order_relaxed);
}

}  // namespace weir
