// Streams to fake control planes that are given by a name with several addresses.

#include "proxy/xds/ads_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "grpcpp/security/server_credentials.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "tests/support/fake_control.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_authority.h"

namespace weir {
namespace {

// A proxy that takes everything over.
class Handler final : public AdsHandler {
 public:
  std::vector<v1::ResourceError> ApplyChange(const HeldResources&, const ResourceChange&) override {
    return {};
  }
  void OnHeldChanged(const HeldResources&) override {}
  std::vector<v1::Resource> RestoreMore(const HeldResources&) override { return {}; }
  v1::Report MakeReport() override { return {}; }
};

// A client on a loop, and from construction to destruction on a thread of its own.
class RunningClient {
 public:
  explicit RunningClient(AdsOptions options) {
    options.node.set_id("p1");
    thread_ = std::thread([this, options = std::move(options)]() mutable {
      Handler handler;
      AdsClient client(*loop_, std::move(options), handler);
      client.Start();
      loop_->Run();
    });
  }
  ~RunningClient() {
    loop_->Stop();
    thread_.join();
  }

 private:
  const std::unique_ptr<EventLoop> loop_ = CreateEventLoop();  // Stop may still be in it after Run
  std::thread thread_;
};

// What a name stands for.
Addresses Loopback(const std::vector<std::string>& hosts, uint16_t port) {
  Addresses addresses;
  for (const std::string& host : hosts) addresses.push_back(*LiteralAddress(host, port));
  return addresses;
}

class AdsClientTest : public ::testing::Test {
 protected:
  AdsOptions ByName() const {
    AdsOptions options;
    options.controls = {StrCat("control.test:", port_)};
    options.lookup = [](const std::string&, uint16_t port) -> absl::StatusOr<Addresses> {
      return Loopback({"127.0.0.1", "127.0.0.2"}, port);
    };
    return options;
  }

  // Waits until the proxy has a stream there, and answers it.
  static bool IsTurnedTo(FakeControl& control) {
    const bool connected = Eventually([&control] { return control.connected(); });
    if (connected) control.Send({});
    return connected;
  }

  const uint16_t port_ = FreePort();
  FakeControl first_{port_, "127.0.0.1"};
  FakeControl second_{port_, "127.0.0.2"};
};

TEST_F(AdsClientTest, AStreamThatEndsMovesToTheNextAddressOfTheName) {
  const RunningClient client(ByName());
  ASSERT_TRUE(Eventually([this] { return first_.connected() || second_.connected(); }));
  FakeControl* here = first_.connected() ? &first_ : &second_;
  FakeControl* there = here == &first_ ? &second_ : &first_;
  ASSERT_TRUE(IsTurnedTo(*here));
  for (int stream = 0; stream < 3; ++stream) {
    here->Stop();
    here->Start();
    ASSERT_TRUE(IsTurnedTo(*there)) << stream;
    EXPECT_FALSE(here->connected()) << stream;
    std::swap(here, there);
  }
}

TEST_F(AdsClientTest, AnAddressWhereNobodyListensIsPassedOver) {
  first_.Stop();
  const RunningClient client(ByName());
  ASSERT_TRUE(IsTurnedTo(second_));
  first_.Start();
  second_.Stop();
  EXPECT_TRUE(IsTurnedTo(first_));
}

TEST_F(AdsClientTest, ANameIsLookedUpAgainUntilItHasAnAddress) {
  std::atomic<int> look_ups = 0;
  AdsOptions options;
  options.controls = {StrCat("control.test:", port_)};
  options.lookup = [&look_ups](const std::string& host,
                               uint16_t port) -> absl::StatusOr<Addresses> {
    if (++look_ups < 3) return Unavailable("cannot resolve ", host);
    return Loopback({"127.0.0.1"}, port);
  };
  const RunningClient client(std::move(options));
  EXPECT_TRUE(IsTurnedTo(first_));
  EXPECT_EQ(look_ups, 3);
}

TEST(AdsClientTlsTest, ACertificateIsToHaveTheNameAndNotTheAddress) {
  const TempDirectory directory;
  const TestAuthority authority(directory.path());
  authority.Issue("server", "localhost");  // and 127.0.0.1
  const auto text_of = [&authority](std::string_view name) {
    std::ifstream file(authority.path(name));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({text_of("server.key"), text_of("server.pem")});
  const uint16_t port = FreePort();
  FakeControl control(port, "127.0.0.1", grpc::SslServerCredentials(tls));
  std::atomic<int> look_ups = 0;
  AdsOptions options;
  // The second is tried when the first has been refused.
  options.controls = {StrCat("control.test:", port), StrCat("localhost:", port)};
  options.credentials.ca_file = authority.path("ca.pem");
  options.lookup = [&look_ups](const std::string&, uint16_t at) -> absl::StatusOr<Addresses> {
    ++look_ups;
    return Loopback({"127.0.0.1"}, at);
  };
  const RunningClient client(std::move(options));
  EXPECT_TRUE(Eventually([&control] { return control.connected(); }));
  EXPECT_EQ(look_ups, 2);
}

}  // namespace
}  // namespace weir
