// ProxyProcess: the life of weir-proxy — it starts, serves, reloads, drains and ends — as signals
// tell it.
//
//   SIGHUP            reopens the log, re-reads the configuration file, applies the difference live
//   SIGUSR1           reopens the log
//   SIGTTIN, SIGTTOU  raise and lower the log level
//   SIGTERM, SIGINT   drain; a second one ends at once
//   SIGUSR2           nothing
//
// A drain: accepting goes on for drain_delay, then stops; sessions are closed when they were quiet
// for 100 ms; shortly before drain_timeout is over nothing more is read, so that what was read is
// still answered; at its end the rest is closed.
//
// Everything here happens on the thread that calls Run: the main thread.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/timer_queue.h"
#include "proxy/server/control_link.h"
#include "proxy/server/live_pools.h"
#include "proxy/server/options.h"
#include "proxy/server/server.h"
#include "proxy/server/signal_watcher.h"

namespace weir {

class ProxyProcess {
 public:
  // Does what `options` ask for, -h, -V, -D and -t included, and returns the exit code.
  static int Main(const Options& options);

 private:
  explicit ProxyProcess(const Options& options);

  // Serves, or says why not: one line for each mistake.
  absl::Status Start();
  // Until the process is to end.
  void Serve();

  void OnSignal(int signal);
  void Reload();
  void BeginDrain(int signal);
  void StopAccepting();
  void End(const char* reason);

  const Options options_;
  std::unique_ptr<EventLoop> loop_;
  SignalWatcher signals_;
  Timer delay_timer_;    // accepting stops
  Timer hurry_timer_;    // reading stops
  Timer timeout_timer_;  // all stops
  bool draining_ = false;
  std::unique_ptr<Server> server_;
  LivePools pools_;
  std::unique_ptr<ControlLink> control_;  // null without --control
};

}  // namespace weir
