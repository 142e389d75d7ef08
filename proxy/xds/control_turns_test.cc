#include "proxy/xds/control_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

// The addresses that are tried, until one is not to be tried at once.
std::vector<std::string> TriedAtOnce(ControlTurns& turns,
                                     const std::vector<std::string>& addresses) {
  std::vector<std::string> tried;
  do {
    if (turns.address().empty()) turns.SetAddresses(addresses);
    tried.push_back(turns.address());
  } while (turns.Advance(/*served=*/false));
  return tried;
}

TEST(ControlTurnsTest, EachControlIsTriedOnceBeforeAWait) {
  ControlTurns turns({"a:1", "b:1"}, 1);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(turns.control(), "a:1");
    turns.SetAddresses({"10.0.0.1:1"});
    EXPECT_EQ(turns.address(), "10.0.0.1:1");
    EXPECT_TRUE(turns.Advance(/*served=*/false));
    EXPECT_EQ(turns.control(), "b:1");
    EXPECT_EQ(turns.address(), "");
    EXPECT_FALSE(turns.Advance(/*served=*/false));  // its name has no address
  }
}

TEST(ControlTurnsTest, EachAddressOfANameIsTriedOnceBeforeAWait) {
  ControlTurns turns({"a:1"}, 1);
  const std::vector<std::string> addresses = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};
  for (int round = 0; round < 5; ++round) {
    EXPECT_THAT(TriedAtOnce(turns, addresses),
                UnorderedElementsAre("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"));
  }
}

TEST(ControlTurnsTest, AfterOneThatServedAllOthersAreTriedBeforeAWait) {
  ControlTurns turns({"a:1", "b:1"}, 1);
  turns.SetAddresses({"10.0.0.1:1"});
  EXPECT_TRUE(turns.Advance(/*served=*/false));
  turns.SetAddresses({"10.0.0.2:1"});
  EXPECT_TRUE(turns.Advance(/*served=*/true));
  EXPECT_THAT(TriedAtOnce(turns, {"10.0.0.3:1"}), ElementsAre("10.0.0.3:1", "10.0.0.3:1"));
}

TEST(ControlTurnsTest, AStreamThatEndsMovesToAnotherAddress) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ControlTurns turns({"a:1"}, seed);
    std::string before;
    for (int stream = 0; stream < 10; ++stream) {
      if (turns.address().empty()) turns.SetAddresses({"10.0.0.1:1", "10.0.0.2:1"});
      EXPECT_NE(turns.address(), before);
      before = turns.address();
      EXPECT_TRUE(turns.Advance(/*served=*/true));
    }
  }
}

TEST(ControlTurnsTest, ProxiesBeginAtDifferentAddresses) {
  std::set<std::string> first;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    ControlTurns turns({"a:1"}, seed);
    turns.SetAddresses({"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"});
    first.insert(turns.address());
  }
  EXPECT_EQ(first.size(), 3u);
}

}  // namespace
}  // namespace weir
