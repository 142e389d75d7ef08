#include "proxy/downstream/held_input.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/chunk_pool.h"

namespace weir {
namespace {

TEST(HeldInputTest, KeepsWhatIsNotDoneWithInItsOrder) {
  ChunkPool pool;
  HeldInput input(pool);
  input.Append("GET a");
  input.Consume(4);
  input.Append("bc");
  EXPECT_EQ(input.rest(), "abc");
  EXPECT_FALSE(input.empty());
  input.Consume(3);
  EXPECT_TRUE(input.empty());
  EXPECT_EQ(input.rest(), "");
}

TEST(HeldInputTest, GivesBackWhatIsDoneWithAlsoWhileMoreIsHeld) {
  ChunkPool pool;
  HeldInput input(pool);
  input.Append(std::string(100'000, 'x') + "rest");
  for (int i = 0; i < 10; ++i) input.Consume(10'000);
  EXPECT_EQ(input.rest(), "rest");
  EXPECT_LE(input.size(), 65'540u);
}

TEST(HeldInputTest, ManySmallRequestsInALargeInputMoveLittle) {
  ChunkPool pool;
  HeldInput input(pool);
  input.Append(std::string(1'000'000, 'x'));
  uint64_t moved = 0;
  while (!input.empty()) {
    const std::string_view before = input.rest();
    input.Consume(100);
    if (!input.empty() && input.rest().data() != before.data() + 100) moved += input.rest().size();
  }
  EXPECT_LE(moved, 1'000'000u);
}

TEST(HeldInputTest, CountsWithThePoolUntilItIsDoneWith) {
  ChunkPool pool;
  {
    HeldInput input(pool);
    input.Append(std::string(100'000, 'x'));
    EXPECT_EQ(pool.bytes_in_use(), 100'000u);
    input.Consume(70'000);
    EXPECT_EQ(pool.bytes_in_use(), 30'000u);
    input.Consume(30'000);
    EXPECT_EQ(pool.bytes_in_use(), 0u);
    input.Append("x");
  }
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace weir
