#include "tests/benchmark/process_sample.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void SampleThreads(const std::string& process, ProcessSample* sample) {
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(process + "/task", error)) {
    uint64_t run_ns = 0;  // the first of three numbers (Documentation/scheduler/sched-stats)
    std::istringstream(ReadAll(task.path().string() + "/schedstat")) >> run_ns;
    sample->cpu_ns += run_ns;
  }
}

void SampleTicks(const std::string& process, ProcessSample* sample) {
  std::string stat = ReadAll(process + "/stat");
  // "pid (name) state ppid ...": the name may hold anything, so count fields after its ")".
  size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;  // 14 is utime, 15 stime (proc(5))
  fields >> sample->user_ticks >> sample->system_ticks;
}

void SampleMemory(const std::string& process, ProcessSample* sample) {
  std::istringstream status(ReadAll(process + "/status"));
  std::string line;
  while (std::getline(status, line)) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "VmRSS:") words >> sample->rss_kib;
    if (key == "VmHWM:") words >> sample->peak_rss_kib;
  }
}

}  // namespace

ProcessSample SampleProcess(pid_t pid) {
  ProcessSample sample;
  std::string process = StrCat("/proc/", pid);
  SampleThreads(process, &sample);
  SampleTicks(process, &sample);
  SampleMemory(process, &sample);
  return sample;
}

}  // namespace weir::benchmark
