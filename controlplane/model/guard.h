// Guard: whether a change is held until somebody approves its plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/weir/v1/pool.pb.h"

namespace weir {

inline constexpr double kDefaultMaxMovedFraction = 0.5;
inline constexpr uint32_t kDefaultMinShards = 1;

// Why the change with this plan is held, a sentence each; empty when it may go on. `requested` is
// the limit that the change itself asked for; it can only be stricter than the pool's guard.
//
// The first membership of a pool moves nothing and leaves no fewer shards, hence is never held; the
// deletion of a pool is not asked about. A plan that moves keys to or from `random` counts like any
// other.
std::vector<std::string> HeldBecause(const v1::Plan& plan, const v1::Guard& guard,
                                     std::optional<double> requested);

}  // namespace weir
