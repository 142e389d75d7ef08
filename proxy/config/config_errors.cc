#include "proxy/config/config_errors.h"

#include "proxy/base/strings.h"

namespace weir {

void ConfigErrors::Add(int line, std::string_view what) {
  lines_.emplace(line, StrCat(Place(line), what));
}

std::string ConfigErrors::Place(int line) const { return StrCat(file_name_, ":", line, ": "); }

void ConfigErrors::Add(int line, std::string_view pool, std::string_view what) {
  Add(line, StrCat("pool '", pool, "': ", what));
}

void ConfigErrors::Add(int line, std::string_view pool, std::string_view key,
                       std::string_view what) {
  Add(line, StrCat("pool '", pool, "', key '", key, "': ", what));
}

absl::Status ConfigErrors::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::string message;
  for (const auto& [line, text] : lines_) {
    if (!message.empty()) message += '\n';
    message += text;
  }
  return InvalidArgument(message);
}

}  // namespace weir
