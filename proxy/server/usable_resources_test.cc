#include "proxy/server/usable_resources.h"

#include <sched.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(UsableResourcesTest, RoundsAQuotaUpToWholeCores) {
  EXPECT_EQ(CoresOfQuota("200000 100000\n"), 2u);
  EXPECT_EQ(CoresOfQuota("250000 100000"), 3u);
  EXPECT_EQ(CoresOfQuota("50000 100000"), 1u);
  EXPECT_EQ(CoresOfQuota("max 100000\n"), std::nullopt);
  EXPECT_EQ(CoresOfQuota(""), std::nullopt);
  EXPECT_EQ(CoresOfQuota("100000"), std::nullopt);
  EXPECT_EQ(CoresOfQuota("0 100000"), std::nullopt);
  EXPECT_EQ(CoresOfQuota("1 0"), std::nullopt);
}

TEST(UsableResourcesTest, MemoryIsNoMoreThanTheMachineHas) {
  EXPECT_GE(UsableMemory(), uint64_t{1} << 20);
  EXPECT_LE(UsableMemory(), static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

TEST(UsableResourcesTest, FollowsTheAffinityOfTheThread) {
  EXPECT_GE(UsableCores(), 1u);
  uint32_t pinned = 0;
  std::thread thread([&pinned] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    pinned = UsableCores();
  });
  thread.join();
  EXPECT_EQ(pinned, 1u);
}

}  // namespace
}  // namespace weir
