#include "proxy/base/socket_address.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::string Text(std::string_view host, uint16_t port = 6379) {
  const std::optional<ResolvedAddress> address = LiteralAddress(host, port);
  return address.has_value() ? address->ToString() : "a name";
}

TEST(SocketAddressTest, LiteralsAreReadWithoutAQuery) {
  EXPECT_EQ(Text("127.0.0.1"), "127.0.0.1:6379");
  EXPECT_EQ(Text("0.0.0.0", 0), "0.0.0.0:0");
  EXPECT_EQ(Text("::1"), "[::1]:6379");
  EXPECT_EQ(Text("[::1]", 65535), "[::1]:65535");
  EXPECT_EQ(Text("2001:DB8::0:1"), "[2001:db8::1]:6379");
}

TEST(SocketAddressTest, APathIsAUnixSocket) {
  EXPECT_EQ(Text("/run/redis.sock"), "/run/redis.sock");
  EXPECT_TRUE(LiteralAddress("/x", 0)->is_unix());
  EXPECT_EQ(LiteralAddress("/x", 6379)->port(), 0);
  EXPECT_EQ(Text("/" + std::string(106, 'p')), "/" + std::string(106, 'p'));
  EXPECT_FALSE(LiteralAddress("/" + std::string(107, 'p'), 0).has_value());
}

TEST(SocketAddressTest, EndpointsOfBothKindsAreRead) {
  EXPECT_EQ(LiteralAddress(TcpEndpoint("::1", 80))->ToString(), "[::1]:80");
  EXPECT_EQ(LiteralAddress(UnixEndpoint("/run/s"))->ToString(), "/run/s");
  EXPECT_FALSE(LiteralAddress(TcpEndpoint("redis-0", 80)).has_value());
}

TEST(SocketAddressTest, AnythingElseIsAName) {
  EXPECT_EQ(Text("localhost"), "a name");
  EXPECT_EQ(Text("redis-0.redis.default.svc"), "a name");
  EXPECT_EQ(Text(""), "a name");
  EXPECT_EQ(Text("[]"), "a name");
  EXPECT_EQ(Text("127.0.0.256"), "a name");
  EXPECT_EQ(Text(std::string_view("127.0.0.1\0x", 11)), "a name");
}

TEST(SocketAddressTest, TheSameHostHasManyPorts) {
  EXPECT_EQ(WithPort(*LiteralAddress("10.0.0.1", 1), 65535), *LiteralAddress("10.0.0.1", 65535));
  EXPECT_EQ(WithPort(*LiteralAddress("::1", 1), 6379), *LiteralAddress("::1", 6379));
  EXPECT_EQ(WithPort(*LiteralAddress("/run/s", 0), 6379), *LiteralAddress("/run/s", 0));
}

TEST(SocketAddressTest, AddressesAreEqualByFamilyHostAndPort) {
  EXPECT_EQ(*LiteralAddress("127.0.0.1", 1), *LiteralAddress("127.0.0.1", 1));
  EXPECT_FALSE(*LiteralAddress("127.0.0.1", 1) == *LiteralAddress("127.0.0.1", 2));
  EXPECT_FALSE(*LiteralAddress("127.0.0.1", 1) == *LiteralAddress("127.0.0.2", 1));
  EXPECT_FALSE(*LiteralAddress("/a", 0) == *LiteralAddress("/b", 0));
  EXPECT_EQ(ResolvedAddress().ToString(), "(no address)");
}

}  // namespace
}  // namespace weir
