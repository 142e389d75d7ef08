// LocalRequest: one request that the proxy answers itself, as the parts of redis_local see it.
//
// Made by AnswerLocally for the length of one call; it owns nothing. Private to redis_local.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/downstream/redis_local.h"

namespace weir {

struct LocalRequest {
  const CommandSpec& spec;
  CommandArgs args;
  const LocalContext& context;
  RedisSessionState& state;
  std::string& reply;  // appended to

  RedisLocal local() const { return RedisLocalOf(spec); }
  void Ok() const { AppendSimple(reply, "OK"); }
  void Error(std::string_view text) const { AppendError(reply, text); }
  // Where a short request may ask for a long reply: whether that is too long by now, and is an
  // error instead. REQUIRES: the reply was empty at first.
  bool IsTooLong() const {
    if (reply.size() <= context.max_reply) return false;
    std::string().swap(reply);
    Error("ERR the reply is larger than the pool's session_output_limit");
    return true;
  }
};

inline constexpr std::string_view kSyntaxError = "ERR syntax error";

// Options and section names may be in any case.
inline bool IsWord(std::string_view argument, std::string_view word) {
  return absl::EqualsIgnoreCase(ToAbsl(argument), ToAbsl(word));
}

// A number as redis reads it: only the form that it would print itself (no "01", no "-0").
inline std::optional<int64_t> ParseRedisInteger(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.starts_with('0') && text.size() > 1) return std::nullopt;
  return ParseInt<int64_t>(text);
}

}  // namespace weir
