#include "controlplane/model/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

v1::Plan Moving(double fraction, uint32_t before, uint32_t after) {
  v1::Plan plan;
  plan.set_moved_fraction(fraction);
  plan.set_shards_before(before);
  plan.set_shards_after(after);
  return plan;
}

v1::Guard Allowing(double fraction, uint32_t shards) {
  v1::Guard guard;
  guard.set_max_moved_fraction(fraction);
  guard.set_min_shards(shards);
  return guard;
}

TEST(GuardTest, HalfTheKeysMayMoveByDefault) {
  EXPECT_THAT(HeldBecause(Moving(0.5, 2, 3), {}, {}), IsEmpty());
  EXPECT_THAT(HeldBecause(Moving(0.1 + 0.2 + 0.2, 2, 3), {}, {}), IsEmpty());
  EXPECT_THAT(HeldBecause(Moving(0.501, 2, 3), {}, {}),
              ElementsAre("moves 50.10 % of the keys; the pool's guard allows 50.00 %"));
}

TEST(GuardTest, OneShardMustStayByDefault) {
  EXPECT_THAT(HeldBecause(Moving(0.5, 2, 1), {}, {}), IsEmpty());
  EXPECT_THAT(HeldBecause(Moving(1, 1, 0), {}, {}), SizeIs(2));
}

TEST(GuardTest, ThePoolsOwnLimitsCount) {
  EXPECT_THAT(HeldBecause(Moving(0.3, 4, 3), Allowing(0.2, 3), {}),
              ElementsAre(HasSubstr("30.00 %")));
  EXPECT_THAT(
      HeldBecause(Moving(0.3, 3, 2), Allowing(1, 3), {}),
      ElementsAre("leaves 2 of 3 shards on the ring; the pool's guard asks for at least 3"));
  EXPECT_THAT(HeldBecause(Moving(0.001, 3, 4), Allowing(0, 0), {}), SizeIs(1));
}

TEST(GuardTest, ARequestCanOnlyBeStricter) {
  EXPECT_THAT(HeldBecause(Moving(0.3, 2, 3), {}, 0.25),
              ElementsAre("moves 30.00 % of the keys; the request allows 25.00 %"));
  EXPECT_THAT(HeldBecause(Moving(0.6, 2, 3), {}, 1.0), SizeIs(1));
}

TEST(GuardTest, TheFirstMembershipIsNeverHeld) {
  EXPECT_THAT(HeldBecause(Moving(0, 0, 2), Allowing(0, 5), 0.0), IsEmpty());
}

TEST(GuardTest, AChangeThatTakesNoShardIsNotHeldForTooFew) {
  EXPECT_THAT(HeldBecause(Moving(0, 2, 2), Allowing(0.5, 3), {}), IsEmpty());
}

}  // namespace
}  // namespace weir
