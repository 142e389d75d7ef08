#include "proxy/hashing/ring_name.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

// Compared with the names in nutcracker's stats by tests/conformance/placement_test.cc.

TEST(RingNameTest, IsTheGivenNameOrElseHostAndPort) {
  EXPECT_EQ(RingName("server1", "127.0.0.1", 6379), "server1");
  EXPECT_EQ(RingName("", "127.0.0.1", 6379), "127.0.0.1:6379");
  EXPECT_EQ(RingName("", "::1", 6379), "::1:6379");
}

TEST(RingNameTest, LeavesOutPort11211) {
  EXPECT_EQ(RingName("", "cache.example", 11211), "cache.example");
  EXPECT_EQ(RingName("server1", "cache.example", 11211), "server1");
}

TEST(RingNameTest, KeepsThePortAsItIsWritten) {
  EXPECT_EQ(RingName("", "127.0.0.1", "06379"), "127.0.0.1:06379");
  EXPECT_EQ(RingName("", "127.0.0.1", "011211"), "127.0.0.1");
}

TEST(RingNameTest, OfAUnixSocketIsItsPathWithAColon) {
  EXPECT_EQ(UnixRingName("", "/tmp/r.sock"), "/tmp/r.sock:");
  EXPECT_EQ(UnixRingName("server1", "/tmp/r.sock"), "server1");
}

}  // namespace
}  // namespace weir
