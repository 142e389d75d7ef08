// The command lines of the programs: a table of flags, read as getopt_long reads them.
//
// Pure, but not to be called by two threads at once: getopt has global state.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir {

// A flag as documented, in the usage text and in the tables of docs/.
struct FlagSpec {
  char short_name;             // 0 when it has none
  std::string_view long_name;  // without dashes; a literal, so that it ends in zero
  std::string_view argument;   // "" when it takes none, else its placeholder: "N", "FILE", "MSEC"…
  std::string_view default_text;  // as printed; "" when there is nothing to say
  std::string_view meaning;
};

// Takes flag `index` of the table with its argument ("" where it takes none), or says what was
// expected of the argument, and nothing else.
using ApplyFlag = std::function<absl::Status(size_t index, std::string_view argument)>;

// Reads main's arguments, argv[0] (the program's name, ignored) included, and calls `apply` for
// each flag in order. Flags may be bundled (`-dt`) and long names abbreviated. `-?` is taken for
// `-h`. The first error ends it; it names the flag, what was found and what was expected.
absl::Status ParseFlags(std::span<const FlagSpec> flags, std::span<const char* const> argv,
                        const ApplyFlag& apply);

// The same, where words that are no flags may stand between them: those, in order. After `--` all
// are words.
absl::StatusOr<std::vector<std::string>> ParseFlagsAndWords(std::span<const FlagSpec> flags,
                                                            std::span<const char* const> argv,
                                                            const ApplyFlag& apply);

// A line for each flag.
std::string FlagLines(std::span<const FlagSpec> flags);

// `Usage: PROGRAM [OPTION]...` and FlagLines.
std::string FlagsUsage(std::string_view program, std::span<const FlagSpec> flags);

}  // namespace weir
