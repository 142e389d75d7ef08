// Handshake: what a new connection says before anything else, and whether the shard agrees.
// AUTH, then SELECT, then HELLO 3 — in this order: before AUTH a shard refuses the others, and data
// would land in the wrong database.
//
// Pure: bytes in, state out. Owned by a connection or probe until it is ready, on its thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_frame_scanner.h"

namespace weir {

class Handshake {
 public:
  enum class State { kWaiting, kDone, kFailed };

  // An empty `auth` and db 0 are not sent.
  Handshake(std::string_view auth, uint32_t db, RespVersion version);

  // What to write; empty when nothing need be said (then state() is kDone at once).
  const std::string& output() const { return output_; }
  // Takes the shard's bytes. Anything behind the last reply is an error: nothing else was asked.
  State OnBytes(std::string_view bytes);
  State state() const { return state_; }
  // After kFailed: the step and the shard's answer, never the password.
  const std::string& error() const { return error_; }
  // The failed step was HELLO 3: the shard knows RESP2 only.
  bool refused_resp3() const { return refused_resp3_; }

 private:
  State Fail(std::string_view step, std::string_view answer);

  std::string output_;
  std::vector<std::string_view> steps_;  // names of the commands that await their replies
  size_t next_step_ = 0;
  std::string reply_;
  RespFrameScanner scanner_;
  State state_ = State::kWaiting;
  std::string error_;
  bool refused_resp3_ = false;
};

}  // namespace weir
