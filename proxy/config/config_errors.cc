#include "proxy/config/config_errors.h"

#include <algorithm>

#include "proxy/base/strings.h"

namespace weir {
namespace {

std::vector<ConfigMistake> ByLine(std::vector<ConfigMistake> mistakes) {
  std::ranges::stable_sort(mistakes, {}, &ConfigMistake::line);
  return mistakes;
}

}  // namespace

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

void ConfigErrors::Warn(int line, std::string_view pool, std::string_view key,
                        std::string_view what) {
  warnings_.push_back({.line = line,
                       .pool = std::string(pool),
                       .key = std::string(key),
                       .what = std::string(what)});
}

std::string ConfigErrors::Where(int line) const {
  return paths_.empty() ? StrCat("on line ", line) : StrCat("at ", paths_[line]);
}

absl::Status ConfigErrors::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::string message;
  for (const ConfigMistake& mistake : ByLine(mistakes_)) {
    StrAppend(&message, message.empty() ? "" : "\n", Place(mistake.line));
    if (!mistake.pool.empty()) StrAppend(&message, "pool '", mistake.pool, "'");
    if (!mistake.key.empty()) StrAppend(&message, ", key '", mistake.key, "'");
    StrAppend(&message, mistake.pool.empty() ? "" : ": ", mistake.what);
  }
  return InvalidArgument(message);
}

std::vector<std::string> ConfigErrors::Warnings() const {
  std::vector<std::string> lines;
  for (const ConfigMistake& warning : ByLine(warnings_)) {
    lines.push_back(StrCat(Place(warning.line), "warning: pool '", warning.pool, "', key '",
                           warning.key, "': ", warning.what));
  }
  return lines;
}

}  // namespace weir
