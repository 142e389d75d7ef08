#include "proxy/server/worker.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/socket_address.h"
#include "proxy/config/snapshot_builder.h"
#include "tests/support/fake_shards.h"
#include "tests/support/repeat.h"

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
  explicit WorkerTest(uint32_t workers = 1)
      : sessions_(std::make_shared<SessionCounts::Counts>(workers)) {
    for (uint32_t i = 0; i < workers; ++i) {
      workers_.push_back(std::make_unique<Worker>(i, workers, health_, absl::UnixEpoch(),
                                                  std::chrono::seconds(60), memory_));
    }
    for (const auto& worker : workers_) worker->Start();
  }
  // None of them may look at what another one holds any more.
  ~WorkerTest() override {
    for (const auto& worker : workers_) worker->Stop();
    for (const auto& worker : workers_) worker->Join();
  }

  Worker& worker() { return *workers_[0]; }

  // Returns when the workers serve the pools of `config`.
  void Adopt(const Config& config) {
    const SnapshotPtr snapshot = *BuildSnapshot(config, nullptr);
    auto layout = std::make_shared<StatsLayout>();
    Worker::CountsByPool counts;
    for (const PoolConfig& pool : config.pools) {
      layout->pools.push_back({.name = pool.name, .shards = {pool.servers[0].ring_name}});
      counts[pool.name] = std::make_shared<SessionCounts>(sessions_);
    }
    counts_ = counts;
    std::latch adopted(static_cast<std::ptrdiff_t>(workers_.size()));
    stats_.clear();
    for (const auto& worker : workers_) {
      stats_.push_back(std::make_shared<StatsTable>(layout, nullptr));
      worker->Adopt(snapshot, stats_.back(), counts, [&] { adopted.count_down(); });
    }
    adopted.wait();
  }

  // A client that was accepted for a pool with these counts, by the worker of this index, and has
  // already asked `request`.
  UniqueFd AddSession(const std::string& pool, const std::shared_ptr<SessionCounts>& counts,
                      uint32_t worker = 0, std::string_view request = "") {
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    UniqueFd client(ends[1]);
    Ask(client, request);
    counts->Add(worker);
    workers_[worker]->AddSession(pool, counts, UniqueFd(ends[0]));
    return client;
  }
  static void Ask(const UniqueFd& client, std::string_view request) {
    CHECK_EQ(write(client.get(), request.data(), request.size()),
             static_cast<ssize_t>(request.size()));
  }
  // The next bytes, waited for; empty: the connection was closed.
  static std::string Read(const UniqueFd& client) {
    pollfd readable = {.fd = client.get(), .events = POLLIN, .revents = 0};
    CHECK_EQ(poll(&readable, 1, -1), 1);
    char reply[65536];
    const ssize_t bytes = read(client.get(), reply, sizeof(reply));
    return std::string(reply, std::max<ssize_t>(bytes, 0));
  }

  // All bytes up to the one that makes them `size`, or to the end of the connection.
  static std::string ReadUpTo(const UniqueFd& client, size_t size) {
    std::string all;
    while (all.size() < size) {
      const std::string next = Read(client);
      if (next.empty()) break;
      all += next;
    }
    return all;
  }

  NoHealth health_;
  ProcessMemory memory_{/*limit=*/0, [] {}};
  const std::shared_ptr<SessionCounts::Counts> sessions_;
  Worker::CountsByPool counts_;                     // of the pools adopted last
  std::vector<std::shared_ptr<StatsTable>> stats_;  // likewise, by worker
  std::vector<std::unique_ptr<Worker>> workers_;
};

class TwoWorkersTest : public WorkerTest {
 protected:
  TwoWorkersTest() : WorkerTest(2) {}
};

// A pool of which nobody asks the shard anything.
PoolConfig LonelyPool() {
  PoolConfig pool;
  pool.name = "alpha";
  pool.redis = true;
  pool.servers.push_back({.name = "a", .endpoint = UnixEndpoint("/nobody"), .ring_name = "a"});
  return pool;
}

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
  worker().SetAddresses(name, {*LiteralAddress(*ParseEndpoint(shards.address(0)))});
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
  Adopt({.pools = {LonelyPool()}});
  const auto counts_before = std::make_shared<SessionCounts>(sessions_);
  const UniqueFd client = AddSession("alpha", counts_before);
  Ask(client, "PING\r\n");
  EXPECT_EQ(Read(client), "+PONG\r\n");
  EXPECT_EQ(counts_before->total(), 0u);
  EXPECT_EQ(counts_.at("alpha")->total(), 1u);
  EXPECT_EQ(counts_.at("alpha")->total_of_all_pools(), 1u);
}

TEST_F(WorkerTest, ClientsThatReadAreNotClosedAtTheLeastOutputLimitOfTheirPool) {
  PoolConfig pool = LonelyPool();
  pool.pool_output_limit = 65536;
  Adopt({.pools = {pool}});
  const auto counts = counts_.at("alpha");
  const std::string pings = Repeat("PING\r\n", 1500);
  const std::string pongs = Repeat("+PONG\r\n", 1500);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(AddSession("alpha", counts));
  // More often than it looks at the limit.
  for (int round = 0; round < 20; ++round) {
    // It rests until all have asked, so that it serves them in one turn.
    std::latch all_asked(1);
    worker().RemoveListener(/*listener=*/0, [&] { all_asked.wait(); });
    for (const UniqueFd& client : clients) Ask(client, pings);
    all_asked.count_down();
    for (const UniqueFd& client : clients) ASSERT_EQ(ReadUpTo(client, pongs.size()), pongs);
  }
  EXPECT_EQ(stats_[0]->pool(0).closed_by_pool_output_limit.Get(), 0u);
}

TEST_F(TwoWorkersTest, TheOutputLimitOfAPoolHoldsForAllOfThemAndClosesOnlyWhoDoesNotRead) {
  PoolConfig pool = LonelyPool();
  pool.session_output_limit = 2 << 20;  // from half of it on no more is answered
  pool.pool_output_limit = 4 << 20;     // neither worker has so much by itself
  Adopt({.pools = {pool}});
  const auto counts = counts_.at("alpha");
  std::vector<UniqueFd> readers;
  for (uint32_t worker : {0, 1}) readers.push_back(AddSession("alpha", counts, worker));
  std::vector<UniqueFd> others;
  std::vector<pollfd> closed;
  for (uint32_t i = 0; i < 6; ++i) {
    others.push_back(AddSession("alpha", counts, i % 2, Repeat("COMMAND\r\n", 2000)));
    closed.push_back({.fd = others.back().get(), .events = 0, .revents = 0});
  }
  // Four would hold more than the limit; what three hold fits.
  for (int left = 3; left > 0; --left) {
    CHECK_GE(poll(closed.data(), closed.size(), -1), 1);
    auto found = std::ranges::find_if(closed, [](const pollfd& fd) { return fd.revents != 0; });
    found->fd = -1;
    found->revents = 0;
  }
  for (const UniqueFd& reader : readers) {
    Ask(reader, "PING\r\n");
    EXPECT_EQ(Read(reader), "+PONG\r\n");
  }
  const auto closed_by = [&](uint32_t worker) {
    return stats_[worker]->pool(0).closed_by_pool_output_limit.Get();
  };
  // Both may close one at the same moment, which makes one too many.
  EXPECT_GE(closed_by(0) + closed_by(1), 3u);
  EXPECT_LE(closed_by(0) + closed_by(1), 4u);
}

}  // namespace
}  // namespace weir
