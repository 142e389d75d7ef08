#include "proxy/event/timer_queue.h"

#include "proxy/base/check.h"

namespace weir {

void Timer::ArmAt(Moment deadline) {
  if (armed()) queue_.Remove(this);
  deadline_ = deadline;
  queue_.Insert(this);
}

void Timer::Disarm() {
  if (armed()) queue_.Remove(this);
}

TimerQueue::~TimerQueue() { CHECK(heap_.empty()); }

void TimerQueue::RunExpired(Moment now) {
  // The timer itself may be gone after its callback ran, so it is not looked at again. Timers that
  // arm themselves for `now` are met again by this loop; bounding the runs lets the loop breathe.
  for (size_t runs = heap_.size(); runs > 0 && next_deadline() <= now; --runs) {
    Timer* timer = heap_.front();
    Remove(timer);
    timer->on_expired_();
  }
}

void TimerQueue::Insert(Timer* timer) {
  heap_.push_back(timer);
  timer->heap_index_ = heap_.size() - 1;
  SiftUp(timer->heap_index_);
}

void TimerQueue::Remove(Timer* timer) {
  size_t index = timer->heap_index_;
  DCHECK(heap_[index] == timer);
  Timer* last = heap_.back();
  heap_.pop_back();
  timer->heap_index_ = Timer::kDisarmed;
  if (last == timer) return;
  Place(index, last);
  SiftUp(index);
  SiftDown(last->heap_index_);
}

void TimerQueue::Place(size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->heap_index_ = index;
}

void TimerQueue::SiftUp(size_t index) {
  Timer* timer = heap_[index];
  while (index > 0) {
    size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ <= timer->deadline_) break;
    Place(index, heap_[parent]);
    index = parent;
  }
  Place(index, timer);
}

void TimerQueue::SiftDown(size_t index) {
  Timer* timer = heap_[index];
  while (true) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ < heap_[child]->deadline_) ++child;
    if (timer->deadline_ <= heap_[child]->deadline_) break;
    Place(index, heap_[child]);
    index = child;
  }
  Place(index, timer);
}

}  // namespace weir
