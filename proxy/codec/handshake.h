// Handshake: what a new connection says before anything else, and whether the shard agrees.
//
// redis: AUTH, then SELECT, then HELLO 3 — in this order: before AUTH a shard refuses the others,
// and data would land in the wrong database. A shard without a password that is given one serves
// all the same, as behind twemproxy: it is accepted, and needless_password() tells. A protocol
// without a handshake is done at once.
//
// Pure: bytes in, state out. Owned by a connection or probe until it is ready, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/codec/resp_frame_scanner.h"
#include "proxy/codec/shard_protocol.h"

namespace weir {

class Handshake {
 public:
  enum class State : uint8_t { kWaiting, kDone, kFailed };

  // Only what `login` and `variant` ask for is said.
  Handshake(const ShardLogin& login, ConnectionVariant variant);

  // What to write; empty when nothing need be said (then state() is kDone at once).
  const std::string& output() const { return output_; }
  // Takes the shard's bytes. Anything behind the last reply is an error: nothing else was asked.
  State OnBytes(std::string_view bytes);
  State state() const { return state_; }
  // After kFailed: the step and the shard's answer, never the password.
  const std::string& error() const { return error_; }
  // The shard has no password, though one was given.
  bool needless_password() const { return needless_password_; }
  // After kFailed: the shard knows kBase only, and all it refused is kNewer.
  bool refused_variant() const { return refused_variant_; }

 private:
  void IntroduceToRedis(const ShardLogin& login, ConnectionVariant variant);
  State Refused(std::string_view answer);
  State Fail(std::string_view step, std::string_view answer);

  std::string output_;
  std::vector<std::string_view> steps_;  // names of the commands that await their replies
  size_t next_step_ = 0;
  std::string reply_;
  RespFrameScanner scanner_;
  State state_ = State::kWaiting;
  std::string error_;
  bool needless_password_ = false;
  bool refused_variant_ = false;
};

}  // namespace weir
