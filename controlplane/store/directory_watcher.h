// Tells which files of a directory changed, once they have come to rest.
//
// inotify on a thread of its own: files that were written and closed, renamed into the directory,
// out of it, or removed. A burst (an editor's backup, write and rename) is one report: it is made
// when nothing has happened for `quiet`, at the latest `max_delay` after the first event.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/base/clock.h"
#include "proxy/base/unique_fd.h"

namespace weir {

class DirectoryWatcher {
 public:
  struct Options {
    std::string directory;
    absl::Duration quiet = absl::Milliseconds(100);
    absl::Duration max_delay = absl::Seconds(1);
    absl::Duration retry = absl::Seconds(10);
  };
  struct Changes {
    // Anything may have changed: the first report, or the kernel dropped events.
    bool everything = false;
    std::set<std::string> names;
  };
  // Names to report once more although nothing happens to them.
  struct Again {
    std::set<std::string> soon;   // after another `quiet`
    std::set<std::string> later;  // after `retry`
  };
  // Called on the watcher's thread, at once with `everything`, then for each burst.
  using Callback = std::function<Again(const Changes&)>;

  // UNAVAILABLE when the directory cannot be watched.
  static absl::StatusOr<std::unique_ptr<DirectoryWatcher>> Start(Options options,
                                                                 Callback callback);

  // Waits for a call that is under way, then ends the thread. Not from the callback.
  ~DirectoryWatcher();

  DirectoryWatcher(const DirectoryWatcher&) = delete;
  DirectoryWatcher& operator=(const DirectoryWatcher&) = delete;

 private:
  DirectoryWatcher(Options options, Callback callback, UniqueFd inotify, UniqueFd stop);

  void Run();
  // Calls back with what is pending; when to do so again.
  Moment Report();
  // Waits for something to read, at most until `deadline`; whether to go on.
  bool Wait(Moment deadline) const;
  // Adds what has happened to `pending_`; whether anything has.
  bool ReadEvents();

  const Options options_;
  const Callback callback_;
  const UniqueFd inotify_;
  const UniqueFd stop_;  // an eventfd, readable once the thread is to end
  Changes pending_;      // the thread's, as the next two
  std::set<std::string> later_;
  Moment later_at_ = kNever;
  std::thread thread_;
};

}  // namespace weir
