#include "controlplane/server/name_waits.h"

#include <algorithm>
#include <utility>

namespace weir {

bool NameWaits::Add(std::set<std::string> names, Moment deadline, Change change) {
  const std::lock_guard lock(mutex_);
  if (ending_ || waits_.size() >= kMost) return false;
  waits_.push_back({.names = std::move(names), .deadline = deadline, .change = std::move(change)});
  return true;
}

std::vector<NameWaits::Change> NameWaits::TakeOver(
    Moment now, const std::function<bool(const std::string&)>& knows) {
  std::vector<Change> over;
  const std::lock_guard lock(mutex_);
  for (auto wait = waits_.begin(); wait != waits_.end();) {
    if (ending_ || wait->deadline <= now || std::ranges::all_of(wait->names, knows)) {
      over.push_back(std::move(wait->change));
      wait = waits_.erase(wait);
    } else {
      ++wait;
    }
  }
  return over;
}

Moment NameWaits::NextDue() const {
  Moment next = kNever;
  const std::lock_guard lock(mutex_);
  for (const Wait& wait : waits_) next = std::min(next, wait.deadline);
  return next;
}

void NameWaits::End() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
}

}  // namespace weir
