// How many cores this process may use: the default number of workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

// The cores of the process's CPU affinity, or fewer where the CPU quota of its cgroup or of one
// above (a container's limit, a service's CPUQuota) says so. At least 1. Reads /proc and /sys; any
// thread.
uint32_t UsableCores();

// The cores that the text of a cgroup's cpu.max ("QUOTA PERIOD" in µs) allows, a part of one
// counting as one; nothing for "max PERIOD" or what is not of this form. Pure.
std::optional<uint32_t> CoresOfQuota(std::string_view cpu_max);

}  // namespace weir
