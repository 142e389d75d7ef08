// SignalWatcher: the process's signals as calls on one event loop, instead of handlers that
// interrupt whatever runs.
//
// Owned by the main thread and used on its loop. BlockSignals comes before the first thread is
// started, so that every thread inherits the mask and no signal lands elsewhere. Two signals of one
// kind that come close together may be told once, as ever with signals. How it ends: destroyed;
// the signals stay blocked.
#pragma once

#include <functional>

#include "proxy/base/unique_fd.h"
#include "proxy/event/event_loop.h"

namespace weir {

class SignalWatcher final : private IoHandler {
 public:
  using OnSignal = std::function<void(int signal)>;

  // Blocks what a SignalWatcher watches in the calling thread, and ignores SIGPIPE.
  static void BlockSignals();

  // `on_signal` gets SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGTTIN and SIGTTOU.
  SignalWatcher(EventLoop& loop, OnSignal on_signal);
  ~SignalWatcher() override;
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  void OnReady(Readiness ready) override;

  EventLoop& loop_;
  const OnSignal on_signal_;
  UniqueFd fd_;
};

}  // namespace weir
