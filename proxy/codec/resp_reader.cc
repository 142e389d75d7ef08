#include "proxy/codec/resp_reader.h"

#include "proxy/base/strings.h"
#include "proxy/codec/resp_frame_scanner.h"

namespace weir {
namespace {

// Limits are for whoever receives a frame; here only its structure counts.
constexpr FrameLimits kAnySize = {
    .max_line_bytes = UINT32_MAX, .max_elements = UINT32_MAX, .max_bulk_bytes = INT64_MAX};

// The text between the type and the first CRLF; nothing if there is none.
std::optional<std::string_view> FirstLine(std::string_view frame) {
  const size_t end = frame.find("\r\n");
  if (frame.empty() || end == std::string_view::npos || end == 0) return std::nullopt;
  return frame.substr(1, end - 1);
}

char TypeOf(std::string_view frame) { return frame.empty() ? '\0' : frame.front(); }

// The body of a bulk, whatever its type.
std::optional<std::string_view> BulkBody(std::string_view frame) {
  const std::optional<std::string_view> line = FirstLine(frame);
  if (!line) return std::nullopt;
  const std::optional<uint64_t> size = ParseInt<uint64_t>(*line);
  const size_t body = line->size() + 3;
  if (!size || *size > frame.size() - body) return std::nullopt;
  return frame.substr(body, *size);
}

}  // namespace

std::string_view WithoutAttributes(std::string_view frame) {
  while (TypeOf(frame) == '|') {
    const std::optional<std::string_view> line = FirstLine(frame);
    const std::optional<uint32_t> pairs = line ? ParseInt<uint32_t>(*line) : std::nullopt;
    if (!pairs) return {};
    frame.remove_prefix(line->size() + 3);
    RespFrameScanner scanner(kAnySize);
    for (uint64_t i = 0; i < uint64_t{*pairs} * 2; ++i) {
      const ParseResult element = scanner.Scan(frame);
      if (element.status != ParseStatus::kFrame) return {};
      frame.remove_prefix(element.consumed);
    }
  }
  return frame;
}

std::optional<int64_t> ReadInteger(std::string_view frame) {
  frame = WithoutAttributes(frame);
  if (TypeOf(frame) != ':') return std::nullopt;
  const std::optional<std::string_view> line = FirstLine(frame);
  return line ? ParseInt<int64_t>(*line) : std::nullopt;
}

std::optional<std::string_view> ReadString(std::string_view frame) {
  frame = WithoutAttributes(frame);
  switch (TypeOf(frame)) {
    case '+':
      return FirstLine(frame);
    case '$':
    case '!':
      return BulkBody(frame);
    case '=': {
      std::optional<std::string_view> body = BulkBody(frame);
      if (!body || body->size() < 4) return std::nullopt;
      return body->substr(4);
    }
    default:
      return std::nullopt;
  }
}

bool IsError(std::string_view frame) {
  const char type = TypeOf(WithoutAttributes(frame));
  return type == '-' || type == '!';
}

std::string_view ErrorText(std::string_view frame) {
  frame = WithoutAttributes(frame);
  std::optional<std::string_view> text;
  if (TypeOf(frame) == '-') text = FirstLine(frame);
  if (TypeOf(frame) == '!') text = BulkBody(frame);
  return text.value_or(std::string_view());
}

bool IsSimple(std::string_view frame, std::string_view text) {
  frame = WithoutAttributes(frame);
  return TypeOf(frame) == '+' && FirstLine(frame) == text;
}

bool IsNull(std::string_view frame) {
  frame = WithoutAttributes(frame);
  return frame == "$-1\r\n" || frame == "*-1\r\n" || frame == "_\r\n";
}

RespElements::RespElements(std::string_view frame) : scanner_(kAnySize) {
  frame = WithoutAttributes(frame);
  const char type = TypeOf(frame);
  if (type != '*' && type != '~' && type != '%' && type != '>') return;
  const std::optional<std::string_view> line = FirstLine(frame);
  const std::optional<uint32_t> announced = line ? ParseInt<uint32_t>(*line) : std::nullopt;
  if (!announced) return;
  count_ = type == '%' ? int64_t{*announced} * 2 : int64_t{*announced};
  remaining_ = count_;
  rest_ = frame.substr(line->size() + 3);
}

std::optional<std::string_view> RespElements::Next() {
  if (remaining_ == 0) return std::nullopt;
  const ParseResult result = scanner_.Scan(rest_);
  if (result.status != ParseStatus::kFrame) {
    rest_ = {};
    scanner_.Reset();
    return std::nullopt;
  }
  const std::string_view element = rest_.substr(0, result.consumed);
  rest_.remove_prefix(result.consumed);
  --remaining_;
  return element;
}

}  // namespace weir
