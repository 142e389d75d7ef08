#include "controlplane/server/name_waits.h"

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NameWaitsTest : public ::testing::Test {
 protected:
  bool Adds(const std::string& change, std::set<std::string> names, int second) {
    return waits_.Add(std::move(names), At(second), [this, change] { made_.push_back(change); });
  }
  static Moment At(int second) { return Moment() + std::chrono::seconds(second); }
  // What is made then.
  std::vector<std::string> MadeAt(int second) {
    made_.clear();
    const auto knows = [this](const std::string& name) { return known_.contains(name); };
    for (const NameWaits::Change& change : waits_.TakeOver(At(second), knows)) change();
    return made_;
  }

  NameWaits waits_;
  std::set<std::string> known_;
  std::vector<std::string> made_;
};

TEST_F(NameWaitsTest, AChangeIsMadeWhenAllItsNamesAreKnown) {
  ASSERT_TRUE(Adds("x", {"a:1", "b:1"}, 10));
  ASSERT_TRUE(Adds("y", {"b:1"}, 10));
  known_ = {"a:1"};
  EXPECT_THAT(MadeAt(1), IsEmpty());
  known_ = {"a:1", "b:1"};
  EXPECT_THAT(MadeAt(1), ElementsAre("x", "y"));
  EXPECT_THAT(MadeAt(99), IsEmpty());
}

TEST_F(NameWaitsTest, AChangeIsMadeWhenItsTimeIsOver) {
  EXPECT_EQ(waits_.NextDue(), kNever);
  ASSERT_TRUE(Adds("x", {"a:1"}, 10));
  ASSERT_TRUE(Adds("y", {"a:1"}, 8));
  EXPECT_EQ(waits_.NextDue(), At(8));
  EXPECT_THAT(MadeAt(7), IsEmpty());
  EXPECT_THAT(MadeAt(8), ElementsAre("y"));
  EXPECT_EQ(waits_.NextDue(), At(10));
  EXPECT_THAT(MadeAt(10), ElementsAre("x"));
}

TEST_F(NameWaitsTest, AtTheEndEverythingIsOverAndNothingWaits) {
  ASSERT_TRUE(Adds("x", {"a:1"}, 10));
  waits_.End();
  EXPECT_FALSE(Adds("y", {"a:1"}, 10));
  EXPECT_THAT(MadeAt(1), ElementsAre("x"));
}

TEST_F(NameWaitsTest, NoMoreWaitThanMay) {
  for (size_t i = 0; i < NameWaits::kMost; ++i) ASSERT_TRUE(Adds("x", {"a:1"}, 10));
  EXPECT_FALSE(Adds("y", {"a:1"}, 10));
  EXPECT_EQ(MadeAt(10).size(), NameWaits::kMost);
  EXPECT_TRUE(Adds("y", {"a:1"}, 10));
}

}  // namespace
}  // namespace weir
