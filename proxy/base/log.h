// The process's log: one line for each event that matters, never one for each request.
//
//   LOG_EVENT(LogLevel::kWarn, "shard_ejected", {"pool", pool}, {"shard", shard}, {"failures", 2});
//   2026-11-22T10:00:00.123Z warn shard_ejected pool=alpha shard=server1-1 failures=2
//
// A line is: time (RFC 3339, UTC, milliseconds), level, event name, then key=value pairs in logfmt:
// a value with spaces, quotes, '=' or bytes outside printable ASCII is quoted and escaped.
//
// Levels are twemproxy's 0..11 (`-v N`, default 5: notice), so its service files keep their
// meaning. Everything here may be called from any thread, but not from a signal handler. A disabled
// level costs one relaxed load; an enabled line costs one write(2), without a lock. A log that is a
// pipe or terminal which nobody reads never blocks the caller: the line is lost and counted
// (`lost=N` on the next one).
//
// Secrets (passwords, keys' values) are never logged. That is the caller's duty: nothing is
// filtered here.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proxy/base/log_rate_limiter.h"

namespace weir {

// The lower, the graver. The names in lines are in lower case, without the k.
enum class LogLevel : int {
  kEmerg = 0,
  kAlert,
  kCrit,
  kError,
  kWarn,
  kNotice,  // the default
  kInfo,
  kDebug,
  kVerb,
  kVverb,
  kVvverb,
  kVvvverb = 11,
};

// One key=value pair. Lends its strings: they live until LogEvent returns.
class LogField {
 public:
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const std::string& value) : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value) : key_(key), value_(std::string_view(value)) {}
  LogField(std::string_view key, bool value) : key_(key), value_(value) {}
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view key, Number value) : key_(key), value_(Widen(value)) {}

  std::string_view key() const { return key_; }
  const Value& value() const { return value_; }

 private:
  template <typename Number>
  static Value Widen(Number value) {
    if constexpr (std::is_floating_point_v<Number>) {
      return static_cast<double>(value);
    } else if constexpr (std::is_signed_v<Number>) {
      return static_cast<int64_t>(value);
    } else {
      return static_cast<uint64_t>(value);
    }
  }

  std::string_view key_;
  Value value_;
};

// Where lines go and which are written; process-wide. Before Open lines go to stderr.
class Log {
 public:
  // Longest line, with its newline: what a pipe takes in one piece. Longer values are cut (`...`),
  // fields that do not fit are left out (`truncated=true`).
  static constexpr size_t kMaxLineBytes = 4096;

  // Lines go to `file` (appended to, created if missing) or, for "", to stderr. On an error they go
  // on as before.
  static absl::Status Open(const std::string& file);
  // Opens the same file name anew, for logrotate (SIGHUP, SIGUSR1). Without effect on stderr. A
  // line written by another thread meanwhile goes to the old file or the new one, never elsewhere.
  // On an error the old stays.
  static absl::Status Reopen();

  // `level` is clamped to 0..11; Up (SIGTTIN) shows more, Down (SIGTTOU) less. All return the level
  // in force.
  static int SetLevel(int level);
  static int LevelUp();
  static int LevelDown();
  static int level() { return level_.load(std::memory_order_relaxed); }
  static bool Enabled(LogLevel level) { return static_cast<int>(level) <= Log::level(); }

  // Lines that could not be written since the process started.
  static uint64_t lost_lines();

  // What lines and LOG_EVENT_LIMITED take for the time; null: the wall clock again.
  static void SetClockForTest(absl::Time (*clock)());
  static absl::Time Now();

 private:
  friend void LogEvent(LogLevel, std::string_view, std::initializer_list<LogField>);
  static inline std::atomic<int> level_{static_cast<int>(LogLevel::kNotice)};
};

// Writes one line if `level` is enabled. `event` is snake_case and part of the operators' API: grep
// for it.
void LogEvent(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// The line that LogEvent writes, newline included. Pure.
std::string FormatLogLine(absl::Time time, LogLevel level, std::string_view event,
                          std::initializer_list<LogField> fields);

std::string_view LogLevelName(LogLevel level);

}  // namespace weir

// LogEvent whose fields are evaluated only when the level is enabled.
#define LOG_EVENT(level, event, ...)                     \
  do {                                                   \
    if (::weir::Log::Enabled(level)) {                   \
      ::weir::LogEvent((level), (event), {__VA_ARGS__}); \
    }                                                    \
  } while (false)

// LOG_EVENT for what the network can cause at any rate: at most 10 lines a second from this place
// in the code, over all threads; the number of those held back is on the next line, as
// `suppressed=N`.
#define LOG_EVENT_LIMITED(level, event, ...)                                                       \
  do {                                                                                             \
    if (::weir::Log::Enabled(level)) {                                                             \
      static constinit ::weir::LogRateLimiter weir_limiter;                                        \
      const auto weir_admission = weir_limiter.Admit(::weir::Log::Now());                          \
      if (weir_admission.admitted && weir_admission.suppressed == 0) {                             \
        ::weir::LogEvent((level), (event), {__VA_ARGS__});                                         \
      } else if (weir_admission.admitted) {                                                        \
        ::weir::LogEvent((level), (event),                                                         \
                         {__VA_ARGS__ __VA_OPT__(, )::weir::LogField("suppressed",                 \
                                                                     weir_admission.suppressed)}); \
      }                                                                                            \
    }                                                                                              \
  } while (false)
