// What no pool exceeds, wherever it comes from.
#pragma once

namespace weir {

// Most servers of a pool, in its file or in force: rings are made of them, and the control plane
// plans with pairs of them.
inline constexpr int kMaxServers = 10'000;

}  // namespace weir
