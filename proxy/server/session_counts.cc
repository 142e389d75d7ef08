#include "proxy/server/session_counts.h"

#include <algorithm>

namespace weir {

namespace {

template <typename Counts>
uint64_t Sum(const Counts& counts) {
  uint64_t total = 0;
  for (const auto& count : counts) total += count.load(std::memory_order_relaxed);
  return total;
}

}  // namespace

uint64_t SessionCounts::total() const { return Sum(of_pool_); }

uint64_t SessionCounts::total_of_all_pools() const { return Sum(*of_all_pools_); }

uint64_t SessionCounts::total_unsent() const { return Sum(unsent_); }

bool SessionCounts::HasMostUnsent(uint32_t worker) const {
  const uint64_t bytes = unsent_[worker].load(std::memory_order_relaxed);
  return std::ranges::all_of(unsent_, [bytes](const std::atomic<uint64_t>& other) {
    return other.load(std::memory_order_relaxed) <= bytes;
  });
}

uint32_t SessionCounts::LeastLoaded(uint32_t first) const {
  const auto load_of = [this](uint32_t worker) {
    return std::pair(of_pool_[worker].load(std::memory_order_relaxed),
                     (*of_all_pools_)[worker].load(std::memory_order_relaxed));
  };
  const auto workers = static_cast<uint32_t>(of_pool_.size());
  uint32_t best = first;
  auto least = load_of(first);
  for (uint32_t i = 1; i < workers; ++i) {
    const uint32_t worker = (first + i) % workers;
    const auto load = load_of(worker);
    if (load < least) {
      best = worker;
      least = load;
    }
  }
  return best;
}

}  // namespace weir
