// NameWaits: changes that wait for the addresses of their names, without a thread.
//
// A wait is over when all its names have an address, when its time is over, or when nobody is to
// wait any longer. Whoever owns the waits asks which are over (TakeOver) and makes the changes.
//
// Thread-safe. Bounded. Nothing is called but `knows`.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "proxy/base/clock.h"

namespace weir {

class NameWaits {
 public:
  static constexpr size_t kMost = 1000;

  using Change = std::function<void()>;

  // Keeps `change` until its wait is over. False, and it is not kept, when kMost wait or nobody is
  // to wait any longer.
  [[nodiscard]] bool Add(std::set<std::string> names, Moment deadline, Change change);

  // Takes the changes whose wait is over, in the order in which they came. `knows`: whether an
  // endpoint has an address.
  std::vector<Change> TakeOver(Moment now, const std::function<bool(const std::string&)>& knows);

  // The first deadline; kNever: nothing waits.
  Moment NextDue() const;

  // Everything that waits is over, and nothing waits from here on.
  void End();

 private:
  struct Wait {
    std::set<std::string> names;
    Moment deadline;
    Change change;
  };

  mutable std::mutex mutex_;
  std::list<Wait> waits_;
  bool ending_ = false;
};

}  // namespace weir
