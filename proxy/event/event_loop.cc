#include "proxy/event/event_loop.h"

#include <algorithm>
#include <mutex>

#include "proxy/base/check.h"

namespace weir {

EventLoop::EventLoop() : now_(Clock::now()), scratch_(new char[kScratchBytes]) {}

EventLoop::~EventLoop() {
  for (TurnEndHandler* handler : turn_end_) {
    if (handler != nullptr) handler->scheduled_on_ = nullptr;
  }
}

TurnEndHandler::~TurnEndHandler() {
  if (scheduled_on_ != nullptr) scheduled_on_->Forget(this);
}

void EventLoop::Post(Message message) {
  bool wake;
  {
    std::lock_guard lock(mutex_);
    wake = messages_.empty();
    messages_.push_back(std::move(message));
    has_messages_.store(true, std::memory_order_release);
  }
  if (wake) Wake();
}

void EventLoop::Stop() {
  stopped_.store(true, std::memory_order_release);
  Wake();
}

void EventLoop::Run() {
  owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  // The first turn does not wait: the moment to count from is as old as the loop.
  Duration wait = Duration::zero();
  while (!stopped_.load(std::memory_order_acquire)) {
    RunTurn(wait);
    wait = kForever;
  }
}

void EventLoop::RunTurn(Duration wait) {
  WaitAndDispatch(WaitLimit(wait));
  if (has_messages_.load(std::memory_order_acquire)) RunMessages();
  timers_.RunExpired(now_);
  RunTurnEnd();
  if (!garbage_.empty()) {
    std::vector<std::shared_ptr<void>> garbage = std::exchange(garbage_, {});
    garbage.clear();
  }
}

Duration EventLoop::WaitLimit(Duration wait) const {
  if (!turn_end_.empty() || !garbage_.empty()) return Duration::zero();
  if (timers_.next_deadline() == kNever) return wait;
  return std::clamp(timers_.next_deadline() - now_, Duration::zero(), wait);
}

void EventLoop::AtTurnEnd(TurnEndHandler* handler) {
  DCHECK(InLoopThread());
  if (handler->scheduled_on_ != nullptr) return;
  handler->scheduled_on_ = this;
  turn_end_.push_back(handler);
}

void EventLoop::RunTurnEnd() {
  // Handlers schedule others, or themselves (a flush that fails lets replies out elsewhere, which
  // make room for requests). Bounded, so that no chain of them keeps a turn from ending.
  for (int round = 0; round < kTurnEndRounds && !turn_end_.empty(); ++round) {
    this_round_.swap(turn_end_);
    for (size_t i = 0; i < this_round_.size(); ++i) {
      TurnEndHandler* handler = this_round_[i];
      if (handler == nullptr) continue;
      handler->scheduled_on_ = nullptr;
      handler->OnTurnEnd();
    }
    this_round_.clear();
  }
}

void EventLoop::Forget(const TurnEndHandler* handler) {
  std::ranges::replace(turn_end_, handler, nullptr);
  std::ranges::replace(this_round_, handler, nullptr);
}

void EventLoop::RunMessages() {
  std::vector<Message> messages;
  {
    std::lock_guard lock(mutex_);
    messages.swap(messages_);
    has_messages_.store(false, std::memory_order_release);
  }
  for (Message& message : messages) message();
}

}  // namespace weir
