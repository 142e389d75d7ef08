#include "proxy/stats/stats_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "proxy/base/check.h"

namespace weir {
namespace {

using testing::HasSubstr;

// More than the server's and the slow clients' sockets hold together.
const std::string kLong(1 << 20, 'x');

const ResolvedAddress kAnyPort = *LiteralAddress("127.0.0.1", 0);

class Client {
 public:
  explicit Client(const StatsServer& server, int receive_buffer = 0) {
    if (receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    CHECK(connect(fd_, server.address().get(), server.address().length) == 0);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Sends(std::string_view bytes) {
    CHECK(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }
  // All that comes until the server closes (or resets) the connection.
  std::string ReadsToTheEnd() {
    std::string all;
    char scratch[65536];
    for (ssize_t n; (n = recv(fd_, scratch, sizeof(scratch), 0)) > 0;) all.append(scratch, n);
    return all;
  }

 private:
  int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

std::unique_ptr<StatsServer> Start(std::function<std::string()> text,
                                   absl::Duration timeout = absl::Minutes(10)) {
  absl::StatusOr<std::unique_ptr<StatsServer>> server =
      StatsServer::Start(kAnyPort, std::move(text), timeout);
  CHECK(server.ok());
  return *std::move(server);
}

TEST(StatsServerTest, SendsTheTextToEachWhoConnectsAndCloses) {
  int asked = 0;
  std::unique_ptr<StatsServer> server =
      Start([&] { return "{\"n\":" + std::to_string(++asked) + "}\n"; });
  EXPECT_EQ(Client(*server).ReadsToTheEnd(), "{\"n\":1}\n");
  EXPECT_EQ(Client(*server).ReadsToTheEnd(), "{\"n\":2}\n");
}

TEST(StatsServerTest, ALongTextArrivesWholeEvenAtAReaderThatTalks) {
  std::unique_ptr<StatsServer> server = Start([&] { return kLong; });
  Client client(*server);
  client.Sends("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.ReadsToTheEnd().size(), kLong.size());
}

TEST(StatsServerTest, ReadersThatNeverReadDelayNobody) {
  std::unique_ptr<StatsServer> server = Start([&] { return kLong; });
  std::vector<std::unique_ptr<Client>> stuck;
  for (int i = 0; i < 10; ++i) stuck.push_back(std::make_unique<Client>(*server, 4096));
  EXPECT_EQ(Client(*server).ReadsToTheEnd().size(), kLong.size());
}

TEST(StatsServerTest, AReaderIsCutOffAfterTheTimeoutAndFreesItsPlace) {
  std::unique_ptr<StatsServer> server = Start([&] { return kLong; }, absl::Milliseconds(50));
  std::vector<std::unique_ptr<Client>> stuck;
  for (size_t i = 0; i < StatsServer::kMaxReaders; ++i) {
    stuck.push_back(std::make_unique<Client>(*server, 4096));
  }
  // Comes only in once a place is free; a reader that keeps up may itself be too slow
  // here, so any byte will do.
  EXPECT_GT(Client(*server).ReadsToTheEnd().size(), 0u);
}

TEST(StatsServerTest, EndsWhileReadersAreStuck) {
  std::unique_ptr<StatsServer> server = Start([&] { return kLong; });
  Client stuck(*server, 4096);
  server.reset();
  EXPECT_LT(stuck.ReadsToTheEnd().size(), kLong.size());
}

TEST(StatsServerTest, AnAddressInUseIsAnErrorThatNamesIt) {
  std::unique_ptr<StatsServer> first = Start([] { return ""; });
  const absl::Status second = StatsServer::Start(first->address(), [] { return ""; }).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.message()), HasSubstr(first->address().ToString()));
  EXPECT_THAT(std::string(second.message()), HasSubstr("Address already in use"));
}

}  // namespace
}  // namespace weir
