#include "proxy/config/flag_parser.h"

#include <getopt.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"
#include "proxy/base/strings.h"
#include "proxy/config/did_you_mean.h"

namespace weir {
namespace {

constexpr int kFirstLongOption = 256;  // getopt's value of flag i: above every character

// What getopt_long is told: ':' first, so that it tells a missing argument from an unknown option.
std::string ShortOptions(std::span<const FlagSpec> flags) {
  std::string result = ":";
  for (const FlagSpec& flag : flags) {
    if (flag.short_name == 0) continue;
    result += flag.short_name;
    if (!flag.argument.empty()) result += ':';
  }
  return result;
}

std::vector<option> LongOptions(std::span<const FlagSpec> flags) {
  std::vector<option> result;
  result.reserve(flags.size() + 1);
  for (size_t i = 0; i < flags.size(); ++i) {
    // The names are literals, so they end in zero.
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage)
    result.push_back({.name = flags[i].long_name.data(),
                      .has_arg = flags[i].argument.empty() ? no_argument : required_argument,
                      .flag = nullptr,
                      .val = kFirstLongOption + static_cast<int>(i)});
  }
  result.push_back({});
  return result;
}

const FlagSpec* FindFlag(std::span<const FlagSpec> flags, int value) {
  if (value >= kFirstLongOption) return &flags[static_cast<size_t>(value - kFirstLongOption)];
  const auto found = std::ranges::find(flags, static_cast<char>(value), &FlagSpec::short_name);
  return value == 0 || found == flags.end() ? nullptr : &*found;
}

std::string FlagNames(const FlagSpec& flag) {
  if (flag.short_name == 0) return StrCat("--", flag.long_name);
  return StrCat("-", std::string(1, flag.short_name), " (--", flag.long_name, ")");
}

// `word` is what getopt looked at; `letter` the short option that it did not know, or 0.
absl::Status UnknownOption(std::span<const FlagSpec> flags, std::string_view word, int letter) {
  if (const FlagSpec* flag = FindFlag(flags, letter);
      flag != nullptr && letter >= kFirstLongOption) {
    return InvalidArgument("option ", FlagNames(*flag), ": found '", word,
                           "', expected no argument");
  }
  if (letter != 0) {
    return InvalidArgument("unknown option '-", std::string(1, static_cast<char>(letter)),
                           "'; -h lists them all");
  }
  const std::string_view name = word.substr(std::min<size_t>(word.size(), 2));
  std::vector<std::string_view> names;
  for (const FlagSpec& flag : flags) names.push_back(flag.long_name);
  const auto is_prefix = [name](std::string_view known) { return known.starts_with(name); };
  if (std::ranges::count_if(names, is_prefix) > 1) {
    return InvalidArgument("ambiguous option '", word, "'; -h lists them all");
  }
  const std::string_view nearest = NearestName(name, names);
  return InvalidArgument("unknown option '", word, "'",
                         nearest.empty() ? std::string("; -h lists them all")
                                         : StrCat("; did you mean '--", nearest, "'?"));
}

absl::Status Take(std::span<const FlagSpec> flags, const FlagSpec& flag, std::string_view argument,
                  const ApplyFlag& apply) {
  absl::Status status = apply(static_cast<size_t>(&flag - flags.data()), argument);
  if (status.ok()) return status;
  return InvalidArgument("option ", FlagNames(flag), ": found '", argument, "', expected ",
                         FromAbsl(status.message()));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseFlagsAndWords(std::span<const FlagSpec> flags,
                                                            std::span<const char* const> argv,
                                                            const ApplyFlag& apply) {
  // getopt reorders the pointers and leaves the characters alone.
  std::vector<char*> words;
  for (const char* word : argv) words.push_back(const_cast<char*>(word));
  words.push_back(nullptr);
  const int count = static_cast<int>(argv.size());
  const std::string short_options = ShortOptions(flags);
  const std::vector<option> long_options = LongOptions(flags);

  optind = 0;  // glibc: start afresh
  opterr = 0;
  while (true) {
    const int value =
        getopt_long(count, words.data(), short_options.c_str(), long_options.data(), nullptr);
    if (value == -1) break;
    if (value == ':') {
      const FlagSpec& flag = *FindFlag(flags, optopt);
      return InvalidArgument("option ", FlagNames(flag),
                             ": found nothing, expected an argument: ", flag.argument);
    }
    const bool asks_for_help = value == '?' && optopt == '?';  // -?, as in twemproxy's usage text
    if (value == '?' && !asks_for_help) return UnknownOption(flags, words[optind - 1], optopt);
    const FlagSpec* const flag = FindFlag(flags, asks_for_help ? 'h' : value);
    if (flag == nullptr) return UnknownOption(flags, words[optind - 1], optopt);
    absl::Status status = Take(flags, *flag, optarg == nullptr ? "" : optarg, apply);
    if (!status.ok()) return status;
  }
  return std::vector<std::string>(words.begin() + optind, words.end() - 1);
}

absl::Status ParseFlags(std::span<const FlagSpec> flags, std::span<const char* const> argv,
                        const ApplyFlag& apply) {
  const absl::StatusOr<std::vector<std::string>> words = ParseFlagsAndWords(flags, argv, apply);
  if (!words.ok()) return words.status();
  if (words->empty()) return absl::OkStatus();
  return InvalidArgument("found '", words->front(), "', expected options only; -h lists them");
}

std::string FlagLines(std::span<const FlagSpec> flags) {
  std::string text;
  for (const FlagSpec& flag : flags) {
    std::string names =
        flag.short_name == 0 ? "    " : StrCat("-", std::string(1, flag.short_name), ", ");
    StrAppend(&names, "--", flag.long_name);
    if (!flag.argument.empty()) StrAppend(&names, "=", flag.argument);
    text += absl::StrFormat("  %-26s %s", names, ToAbsl(flag.meaning));
    if (!flag.default_text.empty()) StrAppend(&text, " (default: ", flag.default_text, ")");
    text += '\n';
  }
  return text;
}

std::string FlagsUsage(std::string_view program, std::span<const FlagSpec> flags) {
  return StrCat("Usage: ", program, " [OPTION]...\n\nOptions:\n", FlagLines(flags));
}

}  // namespace weir
