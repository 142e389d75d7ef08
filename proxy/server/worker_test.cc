#include "proxy/server/worker.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <latch>
#include <memory>
#include <string>

#include "proxy/base/socket_address.h"
#include "proxy/config/snapshot_builder.h"
#include "tests/support/fake_shards.h"

namespace weir {
namespace {

class NoHealth final : public HealthReporter {
 public:
  void ReportFailure(const std::string& pool, const ShardConfig& shard,
                     ShardFailure failure) override {}
  void ReportSuccess(const std::string& pool, const ShardConfig& shard) override {}
  void ReportIdleClose(const ShardConfig& shard) override {}
  void ReportVariantRefused(const PoolSnapshotPtr& pool) override {}
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() { worker_.Start(); }

  // Returns when the worker serves the pools of `config`.
  void Adopt(const Config& config) {
    const SnapshotPtr snapshot = *BuildSnapshot(config, nullptr);
    auto layout = std::make_shared<StatsLayout>();
    Worker::CountsByPool counts;
    for (const PoolConfig& pool : config.pools) {
      layout->pools.push_back({.name = pool.name, .shards = {pool.servers[0].ring_name}});
      counts[pool.name] = std::make_shared<SessionCounts>(sessions_);
    }
    std::latch adopted(1);
    worker_.Adopt(snapshot, std::make_shared<StatsTable>(layout, nullptr), counts,
                  [&] { adopted.count_down(); });
    adopted.wait();
  }

  NoHealth health_;
  ProcessMemory memory_{/*limit=*/0, [] {}};
  std::shared_ptr<SessionCounts::Counts> sessions_ = std::make_shared<SessionCounts::Counts>(1);
  Worker worker_{0, 1, health_, absl::UnixEpoch(), std::chrono::seconds(60), memory_};
};

TEST_F(WorkerTest, AClientOfAPoolThatLeavesIsServedWhenTheNameOfItsShardIsResolvedOnlyThen) {
  FakeShards shards(1);
  const Endpoint name = TcpEndpoint("shard.test", 6379);
  PoolConfig pool;
  pool.name = "alpha";
  pool.redis = true;
  pool.servers.push_back({.name = "a", .endpoint = name, .ring_name = "a"});
  Adopt({.pools = {pool}});
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  worker_.AddSession("alpha", UniqueFd(ends[0]));
  const UniqueFd client(ends[1]);
  const std::string request = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
  ASSERT_EQ(write(client.get(), request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  Adopt({});
  worker_.SetAddresses(name, {*LiteralAddress(*ParseEndpoint(shards.address(0)))});
  pollfd readable = {.fd = client.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&readable, 1, -1), 1);
  char reply[16];
  const ssize_t bytes = read(client.get(), reply, sizeof(reply));
  EXPECT_EQ(std::string(reply, std::max<ssize_t>(bytes, 0)), "$1\r\n0\r\n");
}

}  // namespace
}  // namespace weir
