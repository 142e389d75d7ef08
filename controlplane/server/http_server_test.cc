#include "controlplane/server/http_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "httplib.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"

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
  EXPECT_THAT(page->body, HasSubstr("weir_control_access_refusals_total{role=\"discovery\"} 0"));
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

// A connection to the server, over which a part of a request was sent.
class HalfRequest {
 public:
  explicit HalfRequest(uint16_t port, std::string_view sent = "GET /healthz HT")
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    CHECK(send(fd_.get(), sent.data(), sent.size(), 0) == static_cast<ssize_t>(sent.size()));
  }
  // Waits until the server has closed it.
  void AwaitEnd() {
    char byte = 0;
    while (recv(fd_.get(), &byte, 1, 0) > 0) continue;
  }
  bool HasEnded() {
    char byte = 0;
    return recv(fd_.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  UniqueFd fd_;
};

// It held a thread for five seconds, which is the library's limit between two requests.
TEST(HttpServerTest, AConnectionThatSaysNothingIsClosedAsSoonAsOneThatPauses) {
  ControlMetrics metrics;
  const auto server = HttpServer::Start(TcpEndpoint("127.0.0.1", 0), metrics, [] { return true; });
  ASSERT_TRUE(server.ok()) << server.status();
  HalfRequest silent((*server)->port(), "");
  for (int i = 0; i < 3; ++i) HalfRequest((*server)->port()).AwaitEnd();
  EXPECT_TRUE(silent.HasEnded());
}

TEST(HttpServerTest, HalfSentRequestsBlockNobodyAndAreClosed) {
  ControlMetrics metrics;
  const auto server = HttpServer::Start(TcpEndpoint("127.0.0.1", 0), metrics, [] { return true; });
  ASSERT_TRUE(server.ok()) << server.status();
  std::vector<HalfRequest> halves;
  for (int i = 0; i < 16; ++i) halves.emplace_back((*server)->port());
  httplib::Client client("127.0.0.1", (*server)->port());
  const auto health = client.Get("/healthz");
  ASSERT_TRUE(health) << httplib::to_string(health.error());
  EXPECT_EQ(health->status, 200);
  EXPECT_EQ(health->get_header_value("Connection"), "close");
  for (HalfRequest& half : halves) half.AwaitEnd();
}

}  // namespace
}  // namespace weir
