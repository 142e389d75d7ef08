#include "proxy/server/session_counts.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(SessionCountsTest, ASessionGoesToTheWorkerWithTheFewestOfItsPool) {
  SessionCounts pool(std::make_shared<SessionCounts::Counts>(3));
  pool.Add(0);
  pool.Add(2);
  EXPECT_EQ(pool.LeastLoaded(0), 1u);
  pool.Add(1);
  pool.Add(1);
  pool.Add(0);
  EXPECT_EQ(pool.LeastLoaded(0), 2u);
  pool.Remove(1);
  pool.Remove(1);
  EXPECT_EQ(pool.LeastLoaded(0), 1u);
  EXPECT_EQ(pool.total(), 3u);
}

TEST(SessionCountsTest, TellsWhatIsUnsentOnAllWorkersAndWhoHasMost) {
  SessionCounts pool(std::make_shared<SessionCounts::Counts>(3));
  EXPECT_EQ(pool.total_unsent(), 0u);
  pool.SetUnsent(0, uint64_t{1} << 33);
  pool.SetUnsent(2, 5);
  EXPECT_EQ(pool.total_unsent(), (uint64_t{1} << 33) + 5);
  EXPECT_TRUE(pool.HasMostUnsent(0));
  EXPECT_FALSE(pool.HasMostUnsent(2));
  pool.SetUnsent(0, 4);
  EXPECT_TRUE(pool.HasMostUnsent(2));
}

TEST(SessionCountsTest, OfEqualWorkersTheOneWithTheFewestInAllIsChosen) {
  auto of_all_pools = std::make_shared<SessionCounts::Counts>(3);
  SessionCounts alpha(of_all_pools);
  SessionCounts beta(of_all_pools);
  alpha.Add(0);
  alpha.Add(1);
  EXPECT_EQ(beta.LeastLoaded(0), 2u);
  alpha.Add(2);
  alpha.Add(2);
  alpha.Add(0);
  EXPECT_EQ(beta.LeastLoaded(2), 1u);
  // The pool's own count comes first.
  beta.Add(1);
  EXPECT_EQ(beta.LeastLoaded(1), 2u);
}

TEST(SessionCountsTest, OfWorkersThatAreAlikeTheNextFromTheFirstOnIsChosen) {
  SessionCounts pool(std::make_shared<SessionCounts::Counts>(3));
  for (uint32_t first : {0u, 1u, 2u}) EXPECT_EQ(pool.LeastLoaded(first), first);
}

TEST(SessionCountsTest, TwentySessionsSpreadEvenly) {
  SessionCounts pool(std::make_shared<SessionCounts::Counts>(4));
  int sessions[4] = {};
  for (int i = 0; i < 20; ++i) {
    const uint32_t worker = pool.LeastLoaded(1);
    pool.Add(worker);
    ++sessions[worker];
  }
  for (int count : sessions) EXPECT_EQ(count, 5);
}

}  // namespace
}  // namespace weir
