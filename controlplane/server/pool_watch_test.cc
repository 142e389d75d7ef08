#include "controlplane/server/pool_watch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PoolWatchTest : public ::testing::Test {
 protected:
  int wakes_ = 0;
  PoolWatch watch_{"eu", [this] { ++wakes_; }};
};

TEST_F(PoolWatchTest, WakesOnceUntilItIsTaken) {
  watch_.Mark("alpha");  // the first Take needs no wake
  EXPECT_EQ(wakes_, 0);
  EXPECT_THAT(watch_.Take(9), ElementsAre("alpha"));
  EXPECT_THAT(watch_.Take(9), IsEmpty());
  watch_.Mark("beta");
  watch_.Mark("alpha");
  watch_.Mark("beta");
  EXPECT_EQ(wakes_, 1);
  EXPECT_THAT(watch_.Take(9), ElementsAre("alpha", "beta"));
  watch_.Mark("alpha");
  EXPECT_EQ(wakes_, 2);
}

TEST_F(PoolWatchTest, WhoTakesAPartComesAgainByItself) {
  for (const char* pool : {"a", "b", "c"}) watch_.Mark(pool);
  EXPECT_THAT(watch_.Take(2), ElementsAre("a", "b"));
  EXPECT_FALSE(watch_.empty());
  watch_.Mark("d");
  EXPECT_EQ(wakes_, 0);
  EXPECT_THAT(watch_.Take(2), ElementsAre("c", "d"));
  EXPECT_TRUE(watch_.empty());
  watch_.Mark("a");
  EXPECT_EQ(wakes_, 1);
}

TEST_F(PoolWatchTest, MarksAPoolWhoseProxiesStandOtherwiseThanTheReaderWasTold) {
  watch_.Compare("alpha", "1 of 1");  // the reader knows nothing of it yet
  EXPECT_TRUE(watch_.empty());
  watch_.Told("alpha", "0 of 1");
  watch_.Compare("alpha", "0 of 1");
  EXPECT_TRUE(watch_.empty());
  watch_.Compare("alpha", "1 of 1");
  EXPECT_THAT(watch_.Take(9), ElementsAre("alpha"));
  EXPECT_TRUE(watch_.Forget("alpha"));
  EXPECT_FALSE(watch_.Forget("alpha"));
  watch_.Compare("alpha", "1 of 1");
  EXPECT_TRUE(watch_.empty());
}

}  // namespace
}  // namespace weir
