// PendingQueue: the fragments of one connection in the order in which their replies will come.
//
//   head                     last_expired                      tail
//   [expired or begun] ... [expired or begun] [live, by deadline] ...
//
// Deadlines never lie before those in front of them (all have the same length, and ShortenDeadlines
// keeps the order), so expiry only ever eats the live part's front. A value of its connection, same
// thread; owns no fragment.
#pragma once

#include <cstdint>
#include <utility>

#include "proxy/upstream/fragment.h"

namespace weir {

// Neighbours that were taken out of the queue.
struct FragmentRange {
  Fragment* first = nullptr;  // a chain by `next`
  uint64_t bytes = 0;         // on the wire, of all of them
};

class PendingQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  uint32_t size() const { return size_; }
  Fragment* head() const { return head_; }
  Fragment* tail() const { return tail_; }

  void Push(Fragment* fragment) {
    fragment->next = nullptr;
    (tail_ == nullptr ? head_ : tail_->next) = fragment;
    tail_ = fragment;
    ++size_;
  }

  Fragment* PopHead() {
    Fragment* fragment = head_;
    head_ = fragment->next;
    if (head_ == nullptr) tail_ = nullptr;
    if (last_expired_ == fragment) last_expired_ = nullptr;
    --size_;
    return fragment;
  }

  // The first fragment whose deadline counts; null when there is none.
  Fragment* first_live() const { return last_expired_ == nullptr ? head_ : last_expired_->next; }

  // The first live fragment stays in place, but its deadline counts no more.
  void PassFirstLive() { last_expired_ = first_live(); }

  // The fragment in front of the first live one; null when that is the head.
  Fragment* last_passed() const { return last_expired_; }

  // Takes out the live fragments whose deadline is `now` or earlier: all at once, so that what they
  // have in common costs once.
  FragmentRange TakeDue(Moment now) {
    FragmentRange range = {.first = first_live()};
    Fragment* last = nullptr;
    for (Fragment* f = range.first; f != nullptr && f->deadline <= now; f = f->next) {
      last = f;
      range.bytes += f->bytes;
      --size_;
    }
    if (last == nullptr) return {};
    (last_expired_ == nullptr ? head_ : last_expired_->next) = last->next;
    if (tail_ == last) tail_ = last_expired_;
    last->next = nullptr;
    return range;
  }

  // Empties the queue; the chain of all its fragments.
  Fragment* TakeAll() {
    tail_ = last_expired_ = nullptr;
    size_ = 0;
    return std::exchange(head_, nullptr);
  }

 private:
  Fragment* head_ = nullptr;
  Fragment* tail_ = nullptr;
  Fragment* last_expired_ = nullptr;
  uint32_t size_ = 0;
};

}  // namespace weir
