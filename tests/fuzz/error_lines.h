// What fuzzers of the configuration's readers expect of errors.
#pragma once

#include <string_view>

#include "proxy/base/check.h"

namespace weir {

// Of a file "f.yml" that is refused: at least one line, and each names the file.
inline void CheckErrorLines(std::string_view message) {
  CHECK(!message.empty());
  while (!message.empty()) {
    CHECK(message.starts_with("f.yml:"));
    const size_t end = message.find('\n');
    message.remove_prefix(end == message.npos ? message.size() : end + 1);
  }
}

}  // namespace weir
