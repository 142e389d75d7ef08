// How one session ends, and what its client still gets. Transcripts over the whole in-process data
// plane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "proxy/base/check.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/unique_fd.h"
#include "proxy/downstream/session.h"
#include "proxy/event/socket.h"
#include "tests/support/repeat.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

TEST(SessionEndingsTest, AClientThatHalfClosesGetsAllItsReplies) {
  SessionHarness h;
  h.client().SendsBytes(Repeat(FakeClient::Encode("GET a1"), 100));
  h.client().EndsInput();
  EXPECT_EQ(h.stats().client_eof.Get(), 0u) << "the end is behind requests not read yet";
  for (int rounds = 0; rounds < 4; ++rounds) {
    h.shard("a").Sends(Repeat("$1\r\nx\r\n", h.shard("a").Received().size()));
  }
  EXPECT_THAT(h.client().Received(), SizeIs(100));
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_EQ(h.sessions(), 0u);
}

TEST(SessionEndingsTest, AClientThatHalfClosesInARequestIsClosed) {
  SessionHarness h;
  h.client().SendsBytes("*2\r\n$3\r\nGET\r\n$2\r\n");
  h.client().EndsInput();
  EXPECT_TRUE(h.client().disconnected());
}

TEST(SessionEndingsTest, QuitAnswersEverythingBeforeAndNothingBehind) {
  SessionHarness h;
  h.client().Sends("GET a1", "QUIT", "GET a2");
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", "OK"));
  EXPECT_TRUE(h.client().disconnected());
}

TEST(SessionEndingsTest, BytesThatAreNotTheProtocolEndItAfterTheRepliesBefore) {
  SessionHarness h;
  h.client().SendsBytes(FakeClient::Encode("GET a1") + "*1\r\n!oops\r\n" +
                        FakeClient::Encode("GET a2"));
  EXPECT_EQ(h.stats().protocol_errors.Get(), 1u);
  EXPECT_FALSE(h.client().disconnected());
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one", HasSubstr("rotocol error")));
  EXPECT_TRUE(h.client().disconnected());
  EXPECT_THAT(h.shard("a").Received(), ElementsAre("GET a1"));
}

// Two ends of a TCP connection over loopback: the proxy's, and a client's.
std::pair<UniqueFd, UniqueFd> TcpPair() {
  absl::StatusOr<UniqueFd> listener = ListenOn(*LiteralAddress(TcpEndpoint("127.0.0.1", 0)), {});
  CHECK(listener.ok());
  sockaddr_in address = {};
  socklen_t length = sizeof(address);
  CHECK_EQ(getsockname(listener->get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  UniqueFd proxy = AcceptFrom(listener->get());
  CHECK(proxy.valid());
  return {std::move(proxy), std::move(client)};
}

TEST(SessionEndingsTest, TheLastRepliesArriveWholeAlthoughTheClientHadSentMore) {
  SessionHarness h;
  auto [proxy, client] = TcpPair();
  // All of it fits the proxy's side of the socket, and not all of it the client's.
  const std::string value(300'000, 'x');
  const int room = 1 << 20;
  setsockopt(proxy.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  h.AddSession(std::move(proxy));
  const auto sends = [&h, &client](std::string_view bytes) {
    EXPECT_EQ(send(client.get(), bytes.data(), bytes.size(), 0), std::ssize(bytes));
    h.Settle();
  };
  sends(FakeClient::Encode("GET a1") + FakeClient::Encode("QUIT"));
  sends(Repeat(FakeClient::Encode("GET a2"), 1000));  // stays unread
  h.shard("a").Replies(value);
  std::string received;
  char buffer[1 << 16];
  for (;;) {
    pollfd readable = {.fd = client.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&readable, 1, /*ms=*/10'000), 1);
    const ssize_t got = recv(client.get(), buffer, sizeof(buffer), 0);
    ASSERT_GE(got, 0) << "the connection was reset";
    if (got == 0) break;
    received.append(buffer, static_cast<size_t>(got));
    h.Settle();
  }
  EXPECT_EQ(received, EncodeBulk(value) + "+OK\r\n");
  client.Close();
  h.Settle();
  EXPECT_EQ(h.sessions(), 0u);
}

TEST(SessionEndingsTest, ASessionThatIsOverWaitsForItsClientsEndForAnInstantOnly) {
  SessionHarness h;
  h.client(0).Sends("QUIT");
  EXPECT_TRUE(h.client(0).disconnected());
  EXPECT_TRUE(h.session(0).quiet()) << "a drain need not wait for it";
  EXPECT_EQ(h.sessions(), 1u);
  h.client(0).Leaves();
  EXPECT_EQ(h.sessions(), 0u);
  h.client(1).Sends("QUIT");
  h.Advance(Session::kLinger - std::chrono::milliseconds(1));
  EXPECT_EQ(h.sessions(), 1u);
  h.Advance(std::chrono::milliseconds(1));
  EXPECT_EQ(h.sessions(), 0u);
}

TEST(SessionEndingsTest, ASessionThatIsOverDiscardsOnlySoMuchOfWhatItsClientSends) {
  SessionHarness h;
  h.client().Sends("QUIT");
  h.client().SendsBytes(std::string(Session::kLingerBytes, 'x'));
  EXPECT_EQ(h.sessions(), 1u);
  EXPECT_EQ(h.chunks().bytes_in_use(), 0u);
  h.client().SendsBytes("x");
  EXPECT_EQ(h.sessions(), 0u);
  EXPECT_EQ(h.stats().requests.Get(), 1u);
}

TEST(SessionEndingsTest, AHalfClosedClientWithAnUnfinishedRequestDoesNotSpinWhileItsRepliesAreDue) {
  SessionHarness h;
  h.client().SendsBytes(FakeClient::Encode("GET a1") + "*2\r\n$3\r\nGET\r\n$2\r\n");
  h.client().EndsInput();
  EXPECT_FALSE(h.client().disconnected());
  h.shard("a").Replies("one");
  EXPECT_THAT(h.client().Received(), ElementsAre("one"));
  EXPECT_TRUE(h.client().disconnected());
}

}  // namespace
}  // namespace weir
