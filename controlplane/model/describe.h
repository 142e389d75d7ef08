// What a change changes, in lines for people: plans, logs and histories show them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "controlplane/model/merge.h"
#include "proto/weir/v1/pool.pb.h"

namespace weir {

// At most so many lines: they are kept with every request and version, and logged.
inline constexpr size_t kMostLines = 200;

// One line for each difference: fleet, guard and policy by field ("policy.timeout: 400 -> 500"),
// then what happens to each slot, sorted by name. Differences between declared shards are left to
// the slots, save when no slot shows them ("servers: declared anew"). Of more than kMostLines
// the last one says how many are left out ("and 42 more"). Pure.
std::vector<std::string> DescribeChange(const v1::PoolSpec& spec_before, const Slots& slots_before,
                                        const v1::PoolSpec& spec_after, const Slots& slots_after);

}  // namespace weir
