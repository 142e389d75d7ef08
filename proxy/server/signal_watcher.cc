#include "proxy/server/signal_watcher.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "proxy/base/check.h"

namespace weir {
namespace {

constexpr int kWatched[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};

sigset_t WatchedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : kWatched) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void SignalWatcher::BlockSignals() {
  const sigset_t signals = WatchedSignals();
  CHECK_EQ(pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
  // What nohup or a shell ignored is told all the same.
  for (int signal : kWatched) std::signal(signal, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
}

SignalWatcher::SignalWatcher(EventLoop& loop, OnSignal on_signal)
    : loop_(loop), on_signal_(std::move(on_signal)) {
  const sigset_t signals = WatchedSignals();
  fd_ = UniqueFd(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  CHECK(fd_.valid());
  loop_.Watch(fd_.get(), Interest::kRead, this);
}

SignalWatcher::~SignalWatcher() { loop_.Unwatch(fd_.get()); }

void SignalWatcher::OnReady(Readiness ready) {
  signalfd_siginfo info;
  while (read(fd_.get(), &info, sizeof(info)) == sizeof(info)) {
    on_signal_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace weir
