#include "proxy/server/usable_resources.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kCgroupRoot = "/sys/fs/cgroup";

uint32_t CoresOfAffinity() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0) {
    return static_cast<uint32_t>(CPU_COUNT(&cores));
  }
  return std::thread::hardware_concurrency();  // more cores than a cpu_set_t holds
}

// The path of this process's cgroup (version 2) below the root, "/" at least.
std::string CgroupPath() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return "/";
}

// Calls `found` with the first line of a file of this process's cgroup, and of each above it, where
// there is such a file.
void ForEachCgroup(std::string_view file_name,
                   const std::function<void(const std::string&)>& found) {
  std::string path = CgroupPath();
  while (true) {
    std::ifstream file(StrCat(kCgroupRoot, path, "/", file_name));
    std::string line;
    if (std::getline(file, line)) found(line);
    const size_t slash = path.rfind('/');
    if (slash == path.npos) break;
    path.resize(slash);
  }
}

}  // namespace

std::optional<uint32_t> CoresOfQuota(std::string_view cpu_max) {
  if (cpu_max.ends_with('\n')) cpu_max.remove_suffix(1);
  const size_t space = cpu_max.find(' ');
  if (space == cpu_max.npos) return std::nullopt;
  const std::optional<uint32_t> quota = ParseInt<uint32_t>(cpu_max.substr(0, space));
  const std::optional<uint32_t> period = ParseInt<uint32_t>(cpu_max.substr(space + 1));
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return *quota / *period + (*quota % *period == 0 ? 0 : 1);
}

uint32_t UsableCores() {
  uint32_t cores = CoresOfAffinity();
  ForEachCgroup("cpu.max", [&](const std::string& text) {
    cores = std::min(cores, CoresOfQuota(text).value_or(cores));
  });
  return std::max(cores, 1u);
}

uint64_t UsableMemory() {
  uint64_t bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  // "max" is no number.
  ForEachCgroup("memory.max", [&](const std::string& text) {
    bytes = std::min(bytes, ParseInt<uint64_t>(text).value_or(bytes));
  });
  return bytes;
}

}  // namespace weir
