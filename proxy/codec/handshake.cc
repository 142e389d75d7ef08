#include "proxy/codec/handshake.h"

#include "proxy/base/strings.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_reader.h"

namespace weir {
namespace {

constexpr std::string_view kAuth = "AUTH";
constexpr std::string_view kSelect = "SELECT";
constexpr std::string_view kHello = "HELLO";

// HELLO's, with its list of modules, is the longest.
constexpr size_t kMaxReplyBytes = 64 << 10;

// What redis says to AUTH when it has no password: from 6.0 on, and before.
bool SaysThatItHasNoPassword(std::string_view answer) {
  return answer.starts_with("ERR AUTH <password> called without any password configured") ||
         answer.starts_with("ERR Client sent AUTH, but no password is set");
}

}  // namespace

Handshake::Handshake(const ShardLogin& login, ConnectionVariant variant) {
  switch (login.protocol) {
    case Protocol::kRedis:
      IntroduceToRedis(login, variant);
      break;
  }
  if (steps_.empty()) state_ = State::kDone;
}

void Handshake::IntroduceToRedis(const ShardLogin& login, ConnectionVariant variant) {
  if (!login.auth.empty()) {
    AppendCommand(output_, kAuth, login.auth);
    steps_.push_back(kAuth);
  }
  if (login.db != 0) {
    AppendCommand(output_, kSelect, StrCat(login.db));
    steps_.push_back(kSelect);
  }
  if (variant == ConnectionVariant::kNewer) {
    AppendCommand(output_, kHello, "3");
    steps_.push_back(kHello);
  }
}

Handshake::State Handshake::OnBytes(std::string_view bytes) {
  while (!bytes.empty() && state_ == State::kWaiting) {
    ParseResult result = scanner_.Scan(bytes);
    if (result.status == ParseStatus::kError) return Fail(steps_[next_step_], scanner_.error());
    if (reply_.size() + result.consumed > kMaxReplyBytes) {
      return Fail(steps_[next_step_], "an answer without end");
    }
    reply_.append(bytes.substr(0, result.consumed));
    bytes.remove_prefix(result.consumed);
    if (result.status == ParseStatus::kNeedMore) return state_;
    if (IsError(reply_)) {
      std::string_view answer = ErrorText(reply_);
      const bool needless = steps_[next_step_] == kAuth && SaysThatItHasNoPassword(answer);
      if (!needless) return Refused(answer);
      needless_password_ = true;
    }
    reply_.clear();
    if (++next_step_ == steps_.size()) state_ = State::kDone;
  }
  if (!bytes.empty()) return Fail("handshake", "more replies than requests");
  return state_;
}

Handshake::State Handshake::Refused(std::string_view answer) {
  refused_variant_ = steps_[next_step_] == kHello &&
                     (answer.starts_with("NOPROTO") || answer.starts_with("ERR unknown command"));
  return Fail(steps_[next_step_], answer);
}

Handshake::State Handshake::Fail(std::string_view step, std::string_view answer) {
  error_ = StrCat(step, ": ", answer);
  return state_ = State::kFailed;
}

}  // namespace weir
