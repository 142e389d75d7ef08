#include "proxy/downstream/held_input.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(HeldInputTest, KeepsWhatIsNotDoneWithInItsOrder) {
  HeldInput input;
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
  HeldInput input;
  input.Append(std::string(100'000, 'x') + "rest");
  for (int i = 0; i < 10; ++i) input.Consume(10'000);
  EXPECT_EQ(input.rest(), "rest");
}

}  // namespace
}  // namespace weir
