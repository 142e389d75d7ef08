#include "proxy/config/config_errors.h"

#include <algorithm>

#include "proxy/base/strings.h"

namespace weir {

void ConfigErrors::Add(int line, std::string_view what) { Add(line, "", "", what); }

std::string ConfigErrors::Place(int line) const {
  return paths_.empty() ? StrCat(file_name_, ":", line, ": ") : "";
}

void ConfigErrors::Add(int line, std::string_view pool, std::string_view what) {
  Add(line, pool, "", what);
}

void ConfigErrors::Add(int line, std::string_view pool, std::string_view key,
                       std::string_view what) {
  mistakes_.push_back({.line = line,
                       .pool = std::string(pool),
                       .key = std::string(key),
                       .what = std::string(what)});
}

std::string ConfigErrors::Where(int line) const {
  return paths_.empty() ? StrCat("on line ", line) : StrCat("at ", paths_[line]);
}

absl::Status ConfigErrors::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::vector<ConfigMistake> by_line = mistakes_;
  std::ranges::stable_sort(by_line, {}, &ConfigMistake::line);
  std::string message;
  for (const ConfigMistake& mistake : by_line) {
    StrAppend(&message, message.empty() ? "" : "\n", Place(mistake.line));
    if (!mistake.pool.empty()) StrAppend(&message, "pool '", mistake.pool, "'");
    if (!mistake.key.empty()) StrAppend(&message, ", key '", mistake.key, "'");
    StrAppend(&message, mistake.pool.empty() ? "" : ": ", mistake.what);
  }
  return InvalidArgument(message);
}

}  // namespace weir
