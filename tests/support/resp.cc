#include "tests/support/resp.h"

#include <optional>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// Moves `at` behind the line that starts there, and gives the line.
std::optional<std::string_view> TakeLine(std::string_view input, size_t& at) {
  size_t end = input.find(kLineEnd, at);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = input.substr(at, end - at);
  at = end + kLineEnd.size();
  return line;
}

// Moves `at` behind a bulk string of which the length line is `line`, and gives its text.
std::optional<std::string_view> TakeBulk(std::string_view input, std::string_view line,
                                         size_t& at) {
  CHECK(!line.empty() && line[0] == '$');
  std::optional<size_t> length = ParseInt<size_t>(line.substr(1));
  CHECK(length.has_value());
  if (input.size() < at + *length + kLineEnd.size()) return std::nullopt;
  std::string_view text = input.substr(at, *length);
  at += *length + kLineEnd.size();
  return text;
}

}  // namespace

std::string EncodeBulk(std::string_view text) {
  return StrCat("$", text.size(), kLineEnd, text, kLineEnd);
}

std::string EncodeRequest(const std::vector<std::string_view>& arguments) {
  std::string request = StrCat("*", arguments.size(), kLineEnd);
  for (std::string_view argument : arguments) request += EncodeBulk(argument);
  return request;
}

size_t TakeRequest(std::string_view input, std::vector<std::string_view>& arguments) {
  arguments.clear();
  size_t at = 0;
  std::optional<std::string_view> line = TakeLine(input, at);
  if (!line) return 0;
  CHECK(!line->empty() && (*line)[0] == '*');
  std::optional<size_t> count = ParseInt<size_t>(line->substr(1));
  CHECK(count.has_value());
  while (arguments.size() < *count) {
    line = TakeLine(input, at);
    if (!line) return 0;
    std::optional<std::string_view> text = TakeBulk(input, *line, at);
    if (!text) return 0;
    arguments.push_back(*text);
  }
  return at;
}

size_t TakeReply(std::string_view input, Reply& reply) {
  size_t at = 0;
  std::optional<std::string_view> line = TakeLine(input, at);
  if (!line) return 0;
  CHECK(!line->empty());
  std::optional<std::string_view> text = line->substr(1);
  if (*line == "$-1") {
    reply = {.type = '_', .text = ""};
    return at;
  }
  if ((*line)[0] == '$') {
    text = TakeBulk(input, *line, at);
    if (!text) return 0;
  } else {
    CHECK(std::string_view("+-:").find((*line)[0]) != std::string_view::npos);
  }
  reply.type = (*line)[0];
  reply.text = std::string(*text);
  return at;
}

}  // namespace weir
