// Patterns as redis has them in KEYS, SCAN and COMMAND LIST: * ? [abc] [^a] [a-c] and \ before a
// character that stands for itself.
//
// Pure; any thread. Time is at most proportional to the product of both sizes, whatever the
// pattern.
#pragma once

#include <string_view>

namespace weir {

// Whether `pattern` matches all of `text`, in any case of ASCII letters.
bool MatchesGlob(std::string_view pattern, std::string_view text);

}  // namespace weir
