#include "controlplane/store/directory_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryWatcher>> DirectoryWatcher::Start(Options options,
                                                                          Callback callback) {
  UniqueFd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify.valid()) return Unavailable("inotify: ", std::strerror(errno));
  if (inotify_add_watch(inotify.get(), options.directory.c_str(), kEvents) < 0) {
    return Unavailable(options.directory, ": cannot be watched: ", std::strerror(errno));
  }
  UniqueFd stop(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!stop.valid()) return Unavailable("eventfd: ", std::strerror(errno));
  return std::unique_ptr<DirectoryWatcher>(new DirectoryWatcher(
      std::move(options), std::move(callback), std::move(inotify), std::move(stop)));
}

DirectoryWatcher::DirectoryWatcher(Options options, Callback callback, UniqueFd inotify,
                                   UniqueFd stop)
    : options_(std::move(options)),
      callback_(std::move(callback)),
      inotify_(std::move(inotify)),
      stop_(std::move(stop)),
      thread_([this] { Run(); }) {}

DirectoryWatcher::~DirectoryWatcher() {
  CHECK(std::this_thread::get_id() != thread_.get_id());
  CHECK_EQ(eventfd_write(stop_.get(), 1), 0);
  thread_.join();
}

void DirectoryWatcher::Run() {
  pending_.everything = true;
  const Duration quiet = absl::ToChronoNanoseconds(options_.quiet);
  const Duration max_delay = absl::ToChronoNanoseconds(options_.max_delay);
  Moment report_at = Moment::min();
  Moment latest = kNever;  // for the report of a burst that is going on
  while (Wait(std::min(report_at, later_at_))) {
    const Moment now = Clock::now();
    if (ReadEvents()) {
      if (latest == kNever) latest = now + max_delay;
      report_at = std::min(now + quiet, latest);
    }
    if (now >= later_at_) {
      pending_.names.merge(std::exchange(later_, {}));
      later_at_ = kNever;
      report_at = now;
    }
    if (now < report_at) continue;
    latest = kNever;
    report_at = Report();
  }
}

Moment DirectoryWatcher::Report() {
  Again again = callback_(std::exchange(pending_, Changes()));
  later_.merge(again.later);
  if (later_at_ == kNever && !later_.empty()) {
    later_at_ = Clock::now() + absl::ToChronoNanoseconds(options_.retry);
  }
  pending_.names = std::move(again.soon);
  return pending_.names.empty() ? kNever : Clock::now() + absl::ToChronoNanoseconds(options_.quiet);
}

bool DirectoryWatcher::Wait(Moment deadline) const {
  pollfd fds[] = {{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  const Moment now = Clock::now();
  const Duration left = deadline > now ? deadline - now : Duration::zero();
  const timespec timeout = absl::ToTimespec(absl::FromChrono(left));
  ppoll(fds, std::size(fds), deadline == kNever ? nullptr : &timeout, nullptr);
  return (fds[1].revents & POLLIN) == 0;
}

bool DirectoryWatcher::ReadEvents() {
  bool any = false;
  alignas(inotify_event) char buffer[16 * 1024];
  ssize_t length = 0;
  while ((length = read(inotify_.get(), buffer, sizeof(buffer))) > 0) {
    for (const char* at = buffer; at < buffer + length;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      any = true;
      if ((event->mask & IN_Q_OVERFLOW) != 0) pending_.everything = true;
      if (event->len > 0) pending_.names.insert(event->name);
      at += sizeof(inotify_event) + event->len;
    }
  }
  return any;
}

}  // namespace weir
