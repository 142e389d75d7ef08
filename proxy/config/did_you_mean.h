// The nearest of some names to one that is unknown, for error messages. Pure; any thread.
#pragma once

#include <span>
#include <string_view>

namespace weir {

// The one of `known` with the fewest single-character edits (Levenshtein) from `name`; empty when
// all are further away than two edits and a third of the name.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> known);

}  // namespace weir
