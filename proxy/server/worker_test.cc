#include "proxy/server/worker.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <latch>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/check.h"
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
    counts_ = counts;
    std::latch adopted(1);
    worker_.Adopt(snapshot, std::make_shared<StatsTable>(layout, nullptr), counts,
                  [&] { adopted.count_down(); });
    adopted.wait();
  }

  // A client that was accepted for a pool with these counts.
  UniqueFd AddSession(const std::string& pool, const std::shared_ptr<SessionCounts>& counts) {
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    counts->Add(0);
    worker_.AddSession(pool, counts, UniqueFd(ends[0]));
    return UniqueFd(ends[1]);
  }
  static void Ask(const UniqueFd& client, std::string_view request) {
    CHECK_EQ(write(client.get(), request.data(), request.size()),
             static_cast<ssize_t>(request.size()));
  }
  // The next bytes, waited for; empty: the connection was closed.
  static std::string Read(const UniqueFd& client) {
    pollfd readable = {.fd = client.get(), .events = POLLIN, .revents = 0};
    CHECK_EQ(poll(&readable, 1, -1), 1);
    char reply[64];
    const ssize_t bytes = read(client.get(), reply, sizeof(reply));
    return std::string(reply, std::max<ssize_t>(bytes, 0));
  }

  NoHealth health_;
  ProcessMemory memory_{/*limit=*/0, [] {}};
  std::shared_ptr<SessionCounts::Counts> sessions_ = std::make_shared<SessionCounts::Counts>(1);
  Worker::CountsByPool counts_;  // of the pools adopted last
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
  const UniqueFd client = AddSession("alpha", counts_.at("alpha"));
  Ask(client, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  Adopt({});
  worker_.SetAddresses(name, {*LiteralAddress(*ParseEndpoint(shards.address(0)))});
  EXPECT_EQ(Read(client), "$1\r\n0\r\n");
}

TEST_F(WorkerTest, AClientThatIsHandedOverAfterItsPoolHasGoneDoesNotCountForEver) {
  Adopt({});
  const auto counts = std::make_shared<SessionCounts>(sessions_);
  const UniqueFd client = AddSession("alpha", counts);
  EXPECT_EQ(Read(client), "");
  EXPECT_EQ(counts->total(), 0u);
  EXPECT_EQ(counts->total_of_all_pools(), 0u);
}

TEST_F(WorkerTest, AClientOfAPoolThatLeftCountsWithTheOneThatHasItsName) {
  PoolConfig pool;
  pool.name = "alpha";
  pool.redis = true;
  pool.servers.push_back({.name = "a", .endpoint = UnixEndpoint("/nobody"), .ring_name = "a"});
  Adopt({.pools = {pool}});
  const auto counts_before = std::make_shared<SessionCounts>(sessions_);
  const UniqueFd client = AddSession("alpha", counts_before);
  Ask(client, "PING\r\n");
  EXPECT_EQ(Read(client), "+PONG\r\n");
  EXPECT_EQ(counts_before->total(), 0u);
  EXPECT_EQ(counts_.at("alpha")->total(), 1u);
  EXPECT_EQ(counts_.at("alpha")->total_of_all_pools(), 1u);
}

}  // namespace
}  // namespace weir
