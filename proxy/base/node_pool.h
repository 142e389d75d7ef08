// NodePool<T>: fixed-size nodes, recycled through a free list, made in blocks of 64.
//
// Owned by one worker, used on its loop thread only. The pool must outlive its nodes. Blocks stay
// until the pool ends: the number of nodes is bounded by the requests in flight.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace weir {

template <typename T>
class NodePool {
 public:
  NodePool() = default;
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;

  template <typename... Args>
  T* New(Args&&... args) {
    if (free_ == nullptr) Grow();
    Slot* slot = free_;
    free_ = slot->next;
    ++in_use_;
    return new (slot->memory) T(std::forward<Args>(args)...);
  }

  void Delete(T* node) {
    node->~T();
    Slot* slot = reinterpret_cast<Slot*>(node);
    slot->next = free_;
    free_ = slot;
    --in_use_;
  }

  size_t in_use() const { return in_use_; }

 private:
  union Slot {
    Slot* next;
    alignas(T) std::byte memory[sizeof(T)];
  };
  static constexpr size_t kBlock = 64;

  void Grow() {
    blocks_.push_back(std::make_unique<Slot[]>(kBlock));
    for (size_t i = 0; i < kBlock; ++i) {
      blocks_.back()[i].next = free_;
      free_ = &blocks_.back()[i];
    }
  }

  std::vector<std::unique_ptr<Slot[]>> blocks_;
  Slot* free_ = nullptr;
  size_t in_use_ = 0;
};

}  // namespace weir
