// Splits an inline command ("SET key 'some value'") into its arguments, by the rules that redis
// applies to a line typed into telnet. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

enum class InlineSplit : uint8_t { kOk, kUnbalancedQuotes, kNulByte };

// Appends the arguments of `line` (without its line end) to `args`.
//
// Blanks separate arguments. "..." understands \n \r \t \b \a \xHH and takes any other character
// behind a backslash as it is; '...' understands only \'. A closing quote must be followed by a
// blank or the end. A quote may open in the middle of an argument: a"b c" is `ab c`.
//
// Arguments without quotes are views into `line`; the others are views into `scratch`, which is
// overwritten. Both must outlive `args`. On anything but kOk, `args` holds what came before.
InlineSplit SplitInlineArgs(std::string_view line, std::vector<std::string_view>& args,
                            std::string& scratch);

}  // namespace weir
