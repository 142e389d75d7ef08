// ProbeQuestion: what a probe asks a shard, and whether the answer says that it serves.
//
// redis: PING; the answer is +PONG and nothing else: a shard that is loading its data answers too,
// but does not serve yet.
//
// Pure: bytes in, state out. Owned by a probe, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/codec/shard_protocol.h"

namespace weir {

class ProbeQuestion {
 public:
  enum class State : uint8_t { kWaiting, kServes, kFailed };

  explicit ProbeQuestion(Protocol protocol);

  // What to write, once the handshake is done.
  std::string_view output() const { return output_; }
  // Takes the shard's bytes, until the answer is no longer kWaiting.
  State OnBytes(std::string_view bytes);
  // After kFailed: the question and the shard's answer, for logs.
  const std::string& error() const { return error_; }

 private:
  static constexpr size_t kMaxAnswer = 512;

  // Constants of the protocol.
  std::string_view name_;
  std::string_view output_;
  std::string_view good_answer_;

  std::string answer_;  // so far
  std::string error_;
};

}  // namespace weir
