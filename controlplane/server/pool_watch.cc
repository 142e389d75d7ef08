#include "controlplane/server/pool_watch.h"

#include <utility>

namespace weir {

void PoolWatch::Mark(const std::string& pool) {
  {
    const std::lock_guard lock(mutex_);
    marked_.insert(pool);
    if (std::exchange(woken_, true)) return;
  }
  wake_();
}

void PoolWatch::Told(const std::string& pool, std::string stand) {
  const std::lock_guard lock(mutex_);
  told_[pool] = std::move(stand);
}

bool PoolWatch::Forget(const std::string& pool) {
  const std::lock_guard lock(mutex_);
  return told_.erase(pool) > 0;
}

void PoolWatch::Compare(const std::string& pool, const std::string& stand) {
  {
    const std::lock_guard lock(mutex_);
    const auto told = told_.find(pool);
    if (told == told_.end() || told->second == stand) return;
  }
  Mark(pool);
}

std::vector<std::string> PoolWatch::Take(size_t count) {
  std::vector<std::string> names;
  const std::lock_guard lock(mutex_);
  while (!marked_.empty() && names.size() < count) {
    names.push_back(std::move(marked_.extract(marked_.begin()).value()));
  }
  // With some left the taker comes again by itself.
  woken_ = !marked_.empty();
  return names;
}

bool PoolWatch::empty() const {
  const std::lock_guard lock(mutex_);
  return marked_.empty();
}

}  // namespace weir
