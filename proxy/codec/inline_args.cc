#include "proxy/codec/inline_args.h"

namespace weir {
namespace {

// isspace() of the C locale: what may stand before an argument.
bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// What ends an argument outside quotes. Redis does not count \v and \f here.
bool EndsBareWord(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Both take `at` behind the opening quote, append the text and return the position behind the
// closing quote, or npos if there is none.
size_t ReadDoubleQuoted(std::string_view line, size_t at, std::string& out) {
  while (at < line.size()) {
    const char c = line[at];
    if (c == '"') return at + 1;
    if (c != '\\' || at + 1 == line.size()) {
      out.push_back(c);
      ++at;
      continue;
    }
    if (line[at + 1] == 'x' && at + 3 < line.size()) {
      const int high = HexDigit(line[at + 2]);
      const int low = HexDigit(line[at + 3]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        at += 4;
        continue;
      }
    }
    out.push_back(Unescape(line[at + 1]));
    at += 2;
  }
  return std::string_view::npos;
}

size_t ReadSingleQuoted(std::string_view line, size_t at, std::string& out) {
  while (at < line.size()) {
    if (line[at] == '\'') return at + 1;
    if (line[at] == '\\' && at + 1 < line.size() && line[at + 1] == '\'') ++at;
    out.push_back(line[at++]);
  }
  return std::string_view::npos;
}

// Reads one argument, from `at` (no blank) on, that has a quote at `quote`. Returns the position
// behind it, or npos if its quotes are unbalanced.
size_t ReadQuotedWord(std::string_view line, size_t at, size_t quote, std::string& out) {
  out.append(line, at, quote - at);
  at = quote;
  while (at < line.size() && !EndsBareWord(line[at])) {
    const char c = line[at];
    if (c != '"' && c != '\'') {
      out.push_back(c);
      ++at;
      continue;
    }
    at = c == '"' ? ReadDoubleQuoted(line, at + 1, out) : ReadSingleQuoted(line, at + 1, out);
    if (at == std::string_view::npos) return at;
    // Behind a closing quote every kind of blank counts, and the argument is over.
    if (at < line.size() && !IsBlank(line[at])) return std::string_view::npos;
    return at;
  }
  return at;
}

}  // namespace

InlineSplit SplitInlineArgs(std::string_view line, std::vector<std::string_view>& args,
                            std::string& scratch) {
  scratch.clear();
  // Redis works on C strings here and would wait for ever; whoever sends NUL speaks something else.
  if (line.find('\0') != std::string_view::npos) return InlineSplit::kNulByte;
  size_t at = 0;
  while (true) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    if (at == line.size()) return InlineSplit::kOk;
    size_t end = at;
    while (end < line.size() && !EndsBareWord(line[end]) && line[end] != '"' && line[end] != '\'') {
      ++end;
    }
    if (end == line.size() || EndsBareWord(line[end])) {
      args.push_back(line.substr(at, end - at));
      at = end;
      continue;
    }
    // Reserved once for the whole line, so that earlier views stay valid.
    scratch.reserve(line.size());
    const size_t begin = scratch.size();
    at = ReadQuotedWord(line, at, end, scratch);
    if (at == std::string_view::npos) return InlineSplit::kUnbalancedQuotes;
    args.push_back(std::string_view(scratch).substr(begin));
  }
}

}  // namespace weir
