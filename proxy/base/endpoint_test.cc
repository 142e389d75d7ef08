#include "proxy/base/endpoint.h"

#include <string>

#include "gtest/gtest.h"

namespace weir {
namespace {

TEST(EndpointTest, ParsesEveryFormAndFormatsItBack) {
  struct {
    const char* text;
    Endpoint endpoint;
    const char* formatted;
  } cases[] = {
      {"127.0.0.1:6379", TcpEndpoint("127.0.0.1", 6379), "127.0.0.1:6379"},
      {"redis-0.redis:06379", TcpEndpoint("redis-0.redis", 6379), "redis-0.redis:6379"},
      {"::1:6379", TcpEndpoint("::1", 6379), "[::1]:6379"},
      {"[::1]:6379", TcpEndpoint("::1", 6379), "[::1]:6379"},
      {"fe80::1%eth0:1", TcpEndpoint("fe80::1%eth0", 1), "[fe80::1%eth0]:1"},
      {"/tmp/a:b.sock", UnixEndpoint("/tmp/a:b.sock"), "/tmp/a:b.sock"},
  };
  for (const auto& c : cases) {
    absl::StatusOr<Endpoint> endpoint = ParseEndpoint(c.text);
    ASSERT_TRUE(endpoint.ok()) << c.text << ": " << endpoint.status();
    EXPECT_EQ(*endpoint, c.endpoint) << c.text;
    EXPECT_EQ(FormatEndpoint(*endpoint), c.formatted);
    EXPECT_EQ(*ParseEndpoint(c.formatted), c.endpoint) << c.formatted;
  }
}

TEST(EndpointTest, SaysWhatWasExpectedOfABadText) {
  struct {
    std::string text;
    const char* expected;
  } cases[] = {
      {"", "host:port, [ipv6]:port or /path"},
      {"localhost", "host:port, [ipv6]:port or /path"},
      {":6379", "a host name or address before the port"},
      {"a b:6379", "a host name or address before the port"},
      {"[::1:6379", "a host name or address before the port"},
      // A server of twemproxy's files, with its weight.
      {"127.0.0.1:6379:1", "a host name, an IPv4 or an IPv6 address, then ':' and a port"},
      {"cache:6379:1", "a host name, an IPv4 or an IPv6 address, then ':' and a port"},
      {"[host]:6379", "an IPv6 address between [ and ]"},
      {"host:", "a port from 1 to 65535"},
      {"host:0", "a port from 1 to 65535"},
      {"host:65536", "a port from 1 to 65535"},
      {"host:+1", "a port from 1 to 65535"},
      {"host:-1", "a port from 1 to 65535"},
      {"host:99999999999999999999999", "a port from 1 to 65535"},
      {"/" + std::string(107, 'a'), "a socket path of at most 107 bytes"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ParseEndpoint(c.text).status().message(), c.expected) << c.text;
  }
  EXPECT_TRUE(ParseEndpoint("/" + std::string(106, 'a')).ok());
}

}  // namespace
}  // namespace weir
