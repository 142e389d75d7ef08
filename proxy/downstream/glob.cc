#include "proxy/downstream/glob.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace weir {
namespace {

unsigned char Fold(char c) {
  return static_cast<unsigned char>(absl::ascii_tolower(static_cast<unsigned char>(c)));
}

// Takes a class, up to its bracket or the pattern's end, from the front of `pattern`, which begins
// after the opening bracket.
bool TakeClass(std::string_view* pattern, char c) {
  const bool inverted = pattern->starts_with('^');
  if (inverted) pattern->remove_prefix(1);
  bool found = false;
  while (!pattern->empty() && !pattern->starts_with(']')) {
    if (pattern->starts_with('\\') && pattern->size() >= 2) pattern->remove_prefix(1);
    unsigned char low = Fold(pattern->front());
    unsigned char high = low;
    if (pattern->size() >= 3 && (*pattern)[1] == '-') {
      high = Fold((*pattern)[2]);
      if (low > high) std::swap(low, high);
      pattern->remove_prefix(2);
    }
    pattern->remove_prefix(1);
    found |= low <= Fold(c) && Fold(c) <= high;
  }
  if (!pattern->empty()) pattern->remove_prefix(1);
  return found != inverted;
}

// Takes what stands for one character from the front of `pattern`; whether it matches `c`.
// REQUIRES: the pattern is not empty and does not begin with a star.
bool TakeOne(std::string_view* pattern, char c) {
  char wanted = pattern->front();
  pattern->remove_prefix(1);
  if (wanted == '?') return true;
  if (wanted == '[') return TakeClass(pattern, c);
  if (wanted == '\\' && !pattern->empty()) {
    wanted = pattern->front();
    pattern->remove_prefix(1);
  }
  return Fold(wanted) == Fold(c);
}

}  // namespace

// When the rest does not match, the last star takes one character more; earlier stars need not be
// tried again, since a later one can take whatever they would have taken.
bool MatchesGlob(std::string_view pattern, std::string_view text) {
  std::string_view after_star;
  std::string_view star_text;
  bool starred = false;
  while (true) {
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      starred = true;
      after_star = pattern;
      star_text = text;
      continue;
    }
    if (text.empty()) return pattern.empty();
    if (!pattern.empty() && TakeOne(&pattern, text.front())) {
      text.remove_prefix(1);
      continue;
    }
    if (!starred || star_text.empty()) return false;
    star_text.remove_prefix(1);
    text = star_text;
    pattern = after_star;
  }
}

}  // namespace weir
