// What a process has used so far, read from /proc. Pure functions of the files; a process that has
// ended reads as all zero.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace weir::benchmark {

struct ProcessSample {
  uint64_t cpu_ns = 0;      // user + system of all living threads, exact (schedstat)
  uint64_t user_ticks = 0;  // of sysconf(_SC_CLK_TCK) per second (stat); only their ratio is used
  uint64_t system_ticks = 0;
  uint64_t rss_kib = 0;       // resident now
  uint64_t peak_rss_kib = 0;  // the most since the process started
};

ProcessSample SampleProcess(pid_t pid);

}  // namespace weir::benchmark
