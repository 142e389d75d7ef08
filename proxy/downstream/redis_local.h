// Commands that the proxy answers itself: HELLO, AUTH, PING, CLIENT, COMMAND, INFO, SELECT…
//
// Pure: arguments and session state in, encoded reply out; no sockets and no clock (the caller
// passes what such answers need). Any thread, though the state belongs to one session's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/codec/command_table.h"
#include "proxy/config/pool_config.h"
#include "proxy/downstream/redis_session_state.h"

namespace weir {

// What answers tell of the proxy and the session.
struct LocalContext {
  const PoolConfig& pool;
  const CommandTable& commands;
  uint64_t session_id = 0;
  std::string_view peer_address;   // "127.0.0.1:40000"
  std::string_view local_address;  // "127.0.0.1:22121"
  absl::Time now;                  // wall clock
  absl::Time started_at;           // of the process
  uint32_t workers = 1;
  uint64_t sessions = 0;    // of this pool on this worker
  bool resp2_only = false;  // a shard refused HELLO 3
};

enum class LocalOutcome : uint8_t {
  kReplied,
  kReplyAndClose,  // QUIT
  kNoReply,        // CLIENT REPLY OFF and SKIP
};

// Answers a command of CommandClass::kLocal, appending to `reply`, and notes in `state` what it
// changes. REQUIRES: ArityMatches. A HELLO that changes the version must not be passed on before
// the session's earlier requests have been answered (see ChangesVersion).
LocalOutcome AnswerLocally(const CommandSpec& spec, CommandArgs args, const LocalContext& context,
                           RedisSessionState& state, std::string* reply);

// Whether this HELLO, if it succeeds, changes the session's RESP version.
bool ChangesVersion(CommandArgs args, const RedisSessionState& state);

}  // namespace weir
