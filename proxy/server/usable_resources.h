// How much of the machine this process may use: the default number of workers, and of memory.
//
// Both read /proc and /sys; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

// The cores of the process's CPU affinity, or fewer where the CPU quota of its cgroup or of one
// above (a container's limit, a service's CPUQuota) says so. At least 1.
uint32_t UsableCores();

// The cores that the text of a cgroup's cpu.max ("QUOTA PERIOD" in µs) allows, a part of one
// counting as one; nothing for "max PERIOD" or what is not of this form. Pure.
std::optional<uint32_t> CoresOfQuota(std::string_view cpu_max);

// Bytes of the machine's memory, or fewer where the limit of its cgroup or of one above
// (memory.max) says so.
uint64_t UsableMemory();

}  // namespace weir
