#include "proxy/xds/control_turns.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"

namespace weir {

ControlTurns::ControlTurns(std::vector<std::string> controls, uint64_t seed)
    : controls_(std::move(controls)), random_(seed) {
  CHECK(!controls_.empty());
}

const std::string& ControlTurns::address() const {
  static const std::string none;
  return addresses_.empty() ? none : addresses_.back();
}

void ControlTurns::SetAddresses(std::vector<std::string> addresses) {
  DCHECK(addresses_.empty());
  addresses_ = std::move(addresses);
  std::ranges::shuffle(addresses_, random_);
  const auto left = std::ranges::find(addresses_, left_);
  if (left != addresses_.end()) std::iter_swap(left, addresses_.begin());
}

bool ControlTurns::Advance(bool served) {
  if (served) failed_controls_ = 0;
  if (!addresses_.empty()) {
    left_ = std::move(addresses_.back());
    addresses_.pop_back();
  }
  if (!addresses_.empty()) return true;
  next_control_ = (next_control_ + 1) % controls_.size();
  // Round and round nobody goes without a wait.
  if (served || ++failed_controls_ < controls_.size()) return true;
  failed_controls_ = 0;
  return false;
}

}  // namespace weir
