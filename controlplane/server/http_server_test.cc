#include "controlplane/server/http_server.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <new>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "httplib.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

TEST(HttpServerTest, TellsHealthReadinessAndMetrics) {
  ControlMetrics metrics;
  metrics.nacks_total.Increment(3);
  metrics.CountRefusal("write");
  std::atomic<bool> ready = false;
  const auto server =
      HttpServer::Start(TcpEndpoint("127.0.0.1", 0), metrics, [&ready] { return ready.load(); });
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());

  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  ready = true;
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_EQ(client.Get("/elsewhere")->status, 404);

  const auto page = client.Get("/metrics");
  EXPECT_THAT(page->get_header_value("Content-Type"), HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(page->body, HasSubstr("weir_control_nacks_total 3"));
  EXPECT_THAT(page->body, HasSubstr("weir_control_access_refusals_total{role=\"write\"} 1"));
}

TEST(HttpServerTest, SaysWhereItCannotListen) {
  ControlMetrics metrics;
  const auto first = HttpServer::Start(TcpEndpoint("127.0.0.1", 0), metrics, [] { return true; });
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second =
      HttpServer::Start(TcpEndpoint("192.0.2.1", (*first)->port()), metrics, [] { return true; });
  EXPECT_THAT(second.status().ToString(), HasSubstr("cannot listen at 192.0.2.1:"));
}

TEST(HttpServerTest, TwoServersNeverShareAPort) {
  ControlMetrics metrics;
  const auto first = HttpServer::Start(TcpEndpoint("127.0.0.1", 0), metrics, [] { return true; });
  ASSERT_TRUE(first.ok()) << first.status();
  const uint16_t port = (*first)->port();
  const auto second =
      HttpServer::Start(TcpEndpoint("127.0.0.1", port), metrics, [] { return true; });
  EXPECT_EQ(second.status().message(),
            StrCat("HTTP: cannot listen at 127.0.0.1:", port, ": Address already in use"));
}

// It did where the library was compiled with other macros than its header here.
TEST(HttpLibraryTest, AClientWritesNoFurtherThanItsSize) {
  struct {
    alignas(httplib::Client) std::array<std::byte, sizeof(httplib::Client)> room;
    std::array<std::byte, 64> behind;
  } place;
  place.behind.fill(std::byte{0xaa});
  auto* const client = new (place.room.data()) httplib::Client("127.0.0.1", 1);
  EXPECT_THAT(place.behind, Each(std::byte{0xaa}));
  client->~Client();
}

TEST(HttpServerTest, APortCanBeHadAgainAtOnceAfterItsConnections) {
  ControlMetrics metrics;
  auto first = HttpServer::Start(TcpEndpoint("127.0.0.1", 0), metrics, [] { return true; });
  ASSERT_TRUE(first.ok()) << first.status();
  const uint16_t port = (*first)->port();
  httplib::Client client("127.0.0.1", port);
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  first->reset();
  const auto second =
      HttpServer::Start(TcpEndpoint("127.0.0.1", port), metrics, [] { return true; });
  EXPECT_TRUE(second.ok()) << second.status();
}

}  // namespace
}  // namespace weir
