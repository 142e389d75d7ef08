#include "controlplane/model/guard.h"

#include "absl/strings/str_format.h"

namespace weir {
namespace {

// Sums of fractions that should be equal may differ in their last digits.
constexpr double kRounding = 1e-9;

bool Exceeds(double moved, double limit) { return moved > limit + kRounding; }

}  // namespace

std::vector<std::string> HeldBecause(const v1::Plan& plan, const v1::Guard& guard,
                                     std::optional<double> requested) {
  std::vector<std::string> reasons;
  const double limit =
      guard.has_max_moved_fraction() ? guard.max_moved_fraction() : kDefaultMaxMovedFraction;
  const double moved = plan.moved_fraction();
  if (Exceeds(moved, limit)) {
    reasons.push_back(absl::StrFormat("moves %.2f %% of the keys; the pool's guard allows %.2f %%",
                                      100 * moved, 100 * limit));
  } else if (requested.has_value() && Exceeds(moved, *requested)) {
    reasons.push_back(absl::StrFormat("moves %.2f %% of the keys; the request allows %.2f %%",
                                      100 * moved, 100 * *requested));
  }
  const uint32_t fewest = guard.has_min_shards() ? guard.min_shards() : kDefaultMinShards;
  if (plan.shards_after() < fewest && plan.shards_after() < plan.shards_before()) {
    reasons.push_back(
        absl::StrFormat("leaves %d of %d shards on the ring; the pool's guard asks for at least %d",
                        plan.shards_after(), plan.shards_before(), fewest));
  }
  return reasons;
}

}  // namespace weir
