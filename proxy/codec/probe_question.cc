#include "proxy/codec/probe_question.h"

#include <algorithm>

#include "proxy/base/strings.h"

namespace weir {

ProbeQuestion::ProbeQuestion(Protocol protocol) {
  switch (protocol) {
    case Protocol::kRedis:
      name_ = "PING";
      output_ = "*1\r\n$4\r\nPING\r\n";
      good_answer_ = "+PONG\r\n";
      break;
  }
}

ProbeQuestion::State ProbeQuestion::OnBytes(std::string_view bytes) {
  answer_.append(bytes.substr(0, kMaxAnswer));
  if (answer_ == good_answer_) return State::kServes;
  const size_t line_end = answer_.find('\r');
  if (line_end == std::string::npos && answer_.size() < kMaxAnswer) return State::kWaiting;
  // Only the last byte is missing.
  if (good_answer_.starts_with(answer_)) return State::kWaiting;
  error_ = StrCat(name_, ": ", answer_.substr(0, std::min(line_end, kMaxAnswer)));
  return State::kFailed;
}

}  // namespace weir
