// Listener: one pool's listening socket, on the loop of the worker that owns it.
//
// Accepts up to 64 connections a turn and hands each to its callback, which decides who serves it.
// Owned by that worker, used on its loop's thread only. How it ends: AcceptRest takes what is in
// the accept queue, so that closing loses none; then the destructor (by DeleteLater: see
// IoHandler), which alone would leave those to be reset. Out of descriptors it logs and waits, it
// never fails.
#pragma once

#include <functional>

#include "proxy/base/unique_fd.h"
#include "proxy/event/event_loop.h"

namespace weir {

class Listener final : public IoHandler {
 public:
  static constexpr int kAcceptsPerTurn = 64;
  using OnAccept = std::function<void(UniqueFd)>;

  Listener(EventLoop& loop, UniqueFd fd, OnAccept on_accept);
  ~Listener() override;

  // Takes what waits in the accept queue, then listens no more.
  void AcceptRest();

  void OnReady(Readiness ready) override;

 private:
  // False when nothing waits, or nothing can be taken.
  bool AcceptOne();

  EventLoop& loop_;
  UniqueFd fd_;
  OnAccept on_accept_;
  // While the process is out of descriptors the socket is not watched: it would wake every turn.
  Timer retry_;
};

}  // namespace weir
