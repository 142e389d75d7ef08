// Encodes RESP2 and RESP3: each function appends one element, or the header of an aggregate, to an
// output with `append(std::string_view)`: std::string, or the proxy's own buffers.
//
// Types that only RESP3 has take the version that the session speaks and fall back to what redis
// sends to RESP2 clients. No function allocates; where the output lets them, nor does it.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

enum class RespVersion : uint8_t { kResp2 = 2, kResp3 = 3 };

template <typename T>
concept ByteOutput = requires(T& out, std::string_view bytes) { out.append(bytes); };

namespace resp_internal {

inline constexpr std::string_view kCrLf = "\r\n";

// Appends `type`, the number and CRLF at once.
template <ByteOutput Out>
void AppendNumberLine(Out& out, char type, int64_t number) {
  char line[24];  // type, sign, 19 digits, CRLF
  line[0] = type;
  char* end = std::to_chars(line + 1, line + sizeof(line) - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(std::string_view(line, static_cast<size_t>(end - line)));
}

template <ByteOutput Out>
void AppendLine(Out& out, std::string_view type, std::string_view text) {
  out.append(type);
  out.append(text);
  out.append(kCrLf);
}

}  // namespace resp_internal

template <ByteOutput Out>
void AppendArrayHeader(Out& out, int64_t count) {
  resp_internal::AppendNumberLine(out, '*', count);
}

// `pairs` keys and values follow. RESP2: an array of both.
template <ByteOutput Out>
void AppendMapHeader(Out& out, RespVersion version, int64_t pairs) {
  const bool resp3 = version == RespVersion::kResp3;
  resp_internal::AppendNumberLine(out, resp3 ? '%' : '*', resp3 ? pairs : pairs * 2);
}

template <ByteOutput Out>
void AppendSetHeader(Out& out, RespVersion version, int64_t count) {
  resp_internal::AppendNumberLine(out, version == RespVersion::kResp3 ? '~' : '*', count);
}

template <ByteOutput Out>
void AppendPushHeader(Out& out, RespVersion version, int64_t count) {
  resp_internal::AppendNumberLine(out, version == RespVersion::kResp3 ? '>' : '*', count);
}

template <ByteOutput Out>
void AppendBulk(Out& out, std::string_view value) {
  resp_internal::AppendNumberLine(out, '$', static_cast<int64_t>(value.size()));
  out.append(value);
  out.append(resp_internal::kCrLf);
}

template <ByteOutput Out>
void AppendInteger(Out& out, int64_t value) {
  resp_internal::AppendNumberLine(out, ':', value);
}

// REQUIRES: no CR and no LF in `text`.
template <ByteOutput Out>
void AppendSimple(Out& out, std::string_view text) {
  resp_internal::AppendLine(out, "+", text);
}

// `text` begins with its code ("ERR …", "NOAUTH …"). Line ends in it become blanks, so that no
// quoted input can forge a reply.
template <ByteOutput Out>
void AppendError(Out& out, std::string_view text) {
  out.append(std::string_view("-"));
  while (!text.empty()) {
    const size_t bad = text.find_first_of("\r\n");
    out.append(text.substr(0, bad));
    if (bad == std::string_view::npos) break;
    out.append(std::string_view(" "));
    text.remove_prefix(bad + 1);
  }
  out.append(resp_internal::kCrLf);
}

// The absent value; in RESP2 a null bulk.
template <ByteOutput Out>
void AppendNull(Out& out, RespVersion version) {
  using namespace std::string_view_literals;
  out.append(version == RespVersion::kResp3 ? "_\r\n"sv : "$-1\r\n"sv);
}

// The absent array (an aborted EXEC); in RESP2 not the same as the absent value.
template <ByteOutput Out>
void AppendNullArray(Out& out, RespVersion version) {
  using namespace std::string_view_literals;
  out.append(version == RespVersion::kResp3 ? "_\r\n"sv : "*-1\r\n"sv);
}

template <ByteOutput Out>
void AppendBoolean(Out& out, RespVersion version, bool value) {
  using namespace std::string_view_literals;
  if (version == RespVersion::kResp3) {
    out.append(value ? "#t\r\n"sv : "#f\r\n"sv);
  } else {
    AppendInteger(out, value ? 1 : 0);
  }
}

template <ByteOutput Out>
void AppendDouble(Out& out, RespVersion version, double value) {
  char digits[32];  // the shortest form that reads back the same has at most 24 characters
  std::string_view text;
  if (std::isnan(value)) {
    text = "nan";
  } else if (std::isinf(value)) {
    text = value > 0 ? "inf" : "-inf";
  } else {
    const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    text = {digits, static_cast<size_t>(end - digits)};
  }
  if (version == RespVersion::kResp3) {
    resp_internal::AppendLine(out, ",", text);
  } else {
    AppendBulk(out, text);
  }
}

// Text for people (INFO), in RESP2 an ordinary bulk.
template <ByteOutput Out>
void AppendVerbatim(Out& out, RespVersion version, std::string_view text) {
  if (version != RespVersion::kResp3) return AppendBulk(out, text);
  resp_internal::AppendNumberLine(out, '=', static_cast<int64_t>(text.size()) + 4);
  out.append(std::string_view("txt:"));
  out.append(text);
  out.append(resp_internal::kCrLf);
}

// A whole request, as an array of bulks.
template <ByteOutput Out>
void AppendCommand(Out& out, std::span<const std::string_view> args) {
  AppendArrayHeader(out, static_cast<int64_t>(args.size()));
  for (std::string_view arg : args) AppendBulk(out, arg);
}

template <ByteOutput Out, std::convertible_to<std::string_view>... Args>
void AppendCommand(Out& out, const Args&... args) {
  AppendArrayHeader(out, sizeof...(args));
  (AppendBulk(out, std::string_view(args)), ...);
}

// A whole request piece by piece, for the splitter, which gathers the parts of one for each shard.
struct RespRequestEncoder {
  // `arguments` follow, the name not counted.
  template <ByteOutput Out>
  static void Begin(Out& out, std::string_view name, size_t arguments) {
    AppendArrayHeader(out, 1 + static_cast<int64_t>(arguments));
    AppendBulk(out, name);
  }
  template <ByteOutput Out>
  static void Argument(Out& out, std::string_view argument) {
    AppendBulk(out, argument);
  }
  template <ByteOutput Out>
  static void End(Out&) {}
};

}  // namespace weir
