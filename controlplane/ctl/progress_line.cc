#include "controlplane/ctl/progress_line.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace weir {
namespace {

constexpr std::chrono::milliseconds kInterval(250);
constexpr const char* kWipe = "\r\x1b[K";  // to the line's beginning, and erase it

}  // namespace

ProgressLine::ProgressLine(const AdminClient& client, std::string pool, std::ostream& terminal)
    : client_(client),
      pool_(std::move(pool)),
      terminal_(terminal),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void ProgressLine::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  bool is_shown = false;
  while (!stopped.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) {
    const auto proxies = ListAllProxies(client_, "", pool_);
    if (!proxies.ok()) continue;
    terminal_ << kWipe << std::ranges::count_if(proxies->proxies(), &v1::Proxy::in_sync) << " of "
              << proxies->proxies_size() << " proxies are up to date" << std::flush;
    is_shown = true;
  }
  if (is_shown) terminal_ << kWipe << std::flush;
}

}  // namespace weir
