// PendingQueue: the fragments of one connection in the order in which their replies will come.
//
//   head                     last_expired                      tail
//   [expired or begun] ... [expired or begun] [live, by deadline] ...
//
// All deadlines of a connection have the same length, so the live part is sorted by deadline and
// expiry only ever eats its front. A value of its connection, same thread; owns no fragment.
#pragma once

#include <cstdint>
#include <utility>

#include "proxy/upstream/fragment.h"

namespace weir {

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

  // Takes the first live fragment out.
  Fragment* RemoveFirstLive() {
    if (last_expired_ == nullptr) return PopHead();
    Fragment* fragment = last_expired_->next;
    last_expired_->next = fragment->next;
    if (tail_ == fragment) tail_ = last_expired_;
    --size_;
    return fragment;
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
