// A weir-control that is killed in the middle of changes, again and again, and streams that end for
// their age: real weir-control and proxies, fake shards that say who they are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "proto/weir/v1/admin.grpc.pb.h"
#include "proxy/base/strings.h"
#include "proxy/base/uuid.h"
#include "tests/integration/control_under_test.h"
#include "tests/integration/live_fleet.h"
#include "tests/integration/weir_process.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

using Stub = v1::AdminService::Stub;

constexpr size_t kProxies = 3;
constexpr size_t kWriters = 4;
constexpr int kKills = 5;
// Of all writers, between two kills.
constexpr uint64_t kChangesBetween = 8;
constexpr std::chrono::seconds kLongest{60};

// Between two changes of a writer: none of them gets so far ahead of another whose answer was lost
// that the pool has forgotten the request of that one.
using Round = std::barrier<>;

// Adds a second shard to alpha and takes it away again, by turns, each until it is acknowledged. A
// change that was made and is made once more fails.
class Writer {
 public:
  Writer(const Address& admin, NamedShard shard, Round& round) : shard_(std::move(shard)) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    stub_ = v1::AdminService::NewStub(
        grpc::CreateCustomChannel(admin, grpc::InsecureChannelCredentials(), arguments));
    thread_ = std::thread([this, &round] {
      while (!stopping_) {
        Change();
        round.arrive_and_wait();
      }
      round.arrive_and_drop();
    });
  }
  ~Writer() { Stop(); }

  // Ends with the change that is being made.
  void Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  const std::string& shard() const { return shard_.name; }
  // How many were acknowledged.
  uint64_t changes() const { return changes_; }
  // After the last of them.
  bool is_added() const { return changes_ % 2 == 1; }

 private:
  void Change() {
    if (is_added()) {
      v1::RemoveShardRequest request;
      request.set_shard(shard_.name);
      Make(&Stub::RemoveShard, request);
    } else {
      v1::AddShardRequest request;
      request.mutable_shard()->set_name(shard_.name);
      request.mutable_shard()->set_endpoint(shard_.address);
      Make(&Stub::AddShard, request);
    }
  }

  template <typename Request>
  void Make(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, v1::ChangeResponse*),
            Request& request) {
    request.set_pool("alpha");
    request.mutable_options()->set_force(true);
    request.mutable_options()->set_request_id(RandomUuid());
    while (true) {
      grpc::ClientContext context;
      context.set_wait_for_ready(true);
      context.set_deadline(std::chrono::system_clock::now() + kLongest);
      v1::ChangeResponse response;
      const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
      // Killed; whether the change was made nobody knows: once more, under its id.
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE) continue;
      if (status.ok() && !response.held()) {
        ++changes_;
      } else {
        ADD_FAILURE() << shard_.name << ": " << status.error_code() << " "
                      << status.error_message();
        stopping_ = true;
      }
      return;
    }
  }

  const NamedShard shard_;
  std::unique_ptr<Stub> stub_;
  std::atomic<uint64_t> changes_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class ControlRestartTest : public ::testing::Test {
 protected:
  // The shard a is the fake shard 0, and so on.
  std::vector<NamedShard> Shards() const {
    std::vector<NamedShard> shards;
    for (size_t i = 0; i < kWriters; ++i) {
      shards.push_back({std::string(1, static_cast<char>('a' + i)), shards_.address(i)});
    }
    return shards;
  }

  v1::Pool Alpha() {
    v1::GetPoolRequest request;
    request.set_name("alpha");
    return fleet_.control().Call(&Stub::GetPool, request);
  }

  static bool HasShard(const v1::Pool& pool, const std::string& shard) {
    return std::ranges::any_of(pool.shard_map().slots(),
                               [&](const v1::Slot& slot) { return slot.name() == shard; });
  }

  // The fake shard that the control plane says a key goes to.
  std::string PlaceOf(const std::string& key) {
    v1::ExplainKeyRequest request;
    request.set_pool("alpha");
    request.set_key(key);
    const std::string shard = fleet_.control().Call(&Stub::ExplainKey, request).now().shard();
    return shard.empty() ? "none" : StrCat(shard[0] - 'a');
  }

  FakeShards shards_{kWriters};
  LiveFleet fleet_{kProxies, Shards()};
};

TEST_F(ControlRestartTest, KilledInTheMiddleOfChangesItForgetsNoneAndMakesNoneTwice) {
  Round round(kWriters);
  std::vector<std::unique_ptr<Writer>> writers;
  for (const NamedShard& shard : Shards()) {
    writers.push_back(std::make_unique<Writer>(fleet_.control().admin_address(),
                                               NamedShard{shard.name + "2", shard.address}, round));
  }
  const auto changes = [&writers] {
    uint64_t sum = 0;
    for (const auto& writer : writers) sum += writer->changes();
    return sum;
  };
  for (int kill = 0; kill < kKills; ++kill) {
    const uint64_t before = changes();
    ASSERT_TRUE(Eventually([&] { return changes() >= before + kChangesBetween; }, kLongest));
    const uint64_t acknowledged = changes();
    fleet_.control().Kill();
    fleet_.control().Start();
    EXPECT_GE(Alpha().shard_map().generation(), 1 + acknowledged) << kill;
  }
  for (const auto& writer : writers) writer->Stop();

  // The creation, and each change exactly once.
  const v1::Pool alpha = Alpha();
  EXPECT_EQ(alpha.shard_map().generation(), 1 + changes());
  for (const auto& writer : writers) {
    EXPECT_EQ(HasShard(alpha, writer->shard()), writer->is_added()) << writer->shard();
  }

  // In force in every proxy.
  ASSERT_TRUE(fleet_.InSync(kLongest));
  for (size_t proxy = 0; proxy < kProxies; ++proxy) {
    RespClient client = fleet_.ClientOf(proxy);
    for (int i = 0; i < 100; ++i) {
      const std::string key = StrCat("user:", i);
      const std::optional<Reply> reply = client.Get(key);
      ASSERT_TRUE(reply.has_value());
      EXPECT_EQ(reply->text, PlaceOf(key)) << "proxy " << proxy << ", " << key;
    }
  }
}

TEST(StreamAgeTest, AStreamThatEndsForItsAgeIsNoLossAndNothingIsSentAgain) {
  const FakeShards shards(1);
  ControlUnderTest control({"--max-stream-age=1"});
  const WeirProcess proxy("", {StrCat("--control=", control.address()), "--threads=1"});
  const auto sent = [&control] {
    const std::string page = control.Page("/metrics");
    const size_t at = page.find("\nweir_control_resources_sent_total ");
    return at == page.npos ? 0.0 : std::stod(page.substr(page.find(' ', at)));
  };
  v1::CreatePoolRequest create;
  create.set_name("alpha");
  create.mutable_spec()->mutable_policy()->set_listen(StrCat("127.0.0.1:", FreePort()));
  create.mutable_spec()->mutable_policy()->set_redis(true);
  v1::ShardSpec& shard = *create.mutable_spec()->add_servers();
  shard.set_name("a");
  shard.set_endpoint(shards.address(0));
  control.Call(&Stub::CreatePool, create);
  ASSERT_TRUE(Eventually([&] {
    const auto proxies = control.Call(&Stub::ListProxies, v1::ListProxiesRequest());
    return proxies.proxies_size() == 1 && proxies.proxies(0).in_sync() &&
           proxies.proxies(0).applied_size() == 2;  // Pool and Endpoints
  }));
  const double before = sent();
  for (size_t times = 1; times <= 3; ++times) {
    EXPECT_TRUE(proxy.Logs("control_stream_ended", times));
    EXPECT_TRUE(proxy.Logs("control_connected", times + 1));
  }
  EXPECT_THAT(proxy.Log(), Not(HasSubstr("control_lost")));
  EXPECT_EQ(sent(), before);
}

}  // namespace
}  // namespace weir
