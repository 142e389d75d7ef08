// Commands that the proxy answers itself: HELLO, AUTH, PING, CLIENT, COMMAND, INFO, SELECT…
//
// They are what a redis 7.0 server would answer, so that clients find the one they know; where a
// proxy must answer otherwise, the code says why. Arguments and session state in, encoded reply
// out; no sockets and no clock (the caller passes what such answers need), and of the process only
// its id. Any thread, though the state belongs to one session's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/codec/command_table.h"
#include "proxy/config/pool_config.h"
#include "proxy/downstream/redis_session_state.h"

namespace weir {

// The release whose behaviour clients see: they choose commands and options by it.
inline constexpr std::string_view kRedisVersion = "7.0.15";

// Longest name, library name or library version that a session keeps, in bytes. redis has no limit.
inline constexpr size_t kMaxClientAttribute = 1024;

// What answers tell of the proxy and the session.
struct LocalContext {
  const PoolConfig& pool;
  const CommandTable& commands;
  uint64_t session_id = 0;
  std::string_view peer_address = {};   // "127.0.0.1:40000"
  std::string_view local_address = {};  // "127.0.0.1:22121"
  absl::Time now = {};                  // wall clock
  absl::Time started_at = {};           // of the process
  uint32_t workers = 1;
  uint64_t sessions = 0;          // of this pool
  uint64_t max_reply = 64 << 20;  // bytes; a longer one becomes an error
  bool resp2_only = false;        // a shard refused HELLO 3
  std::string_view version = {};  // Weir's own
};

enum class LocalOutcome : uint8_t {
  kReplied,
  kReplyAndClose,  // QUIT
  kNoReply,        // CLIENT REPLY OFF and SKIP
};

// Answers a command of CommandClass::kLocal, appending to `reply`, and notes in `state` what it
// changes. REQUIRES: ArityMatches, and where the pool has a password a session that has given it,
// except for AUTH, HELLO, QUIT and RESET.
//
// Whether a reply is sent is for the caller to judge by state.reply_mode *afterwards*: CLIENT REPLY
// ON and RESET are answered though replies were off, and a SKIP is about the request after it.
LocalOutcome AnswerLocally(const CommandSpec& spec, CommandArgs args, const LocalContext& context,
                           RedisSessionState& state, std::string* reply);

}  // namespace weir
