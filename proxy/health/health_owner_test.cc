#include "proxy/health/health_owner.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proxy/config/snapshot_builder.h"
#include "tests/support/fake_shards.h"

namespace weir {
namespace {

// What the owner published last, for the test's thread to wait for. It is waited for without a
// limit: what never comes shows as the test's timeout.
class Worker final : public HealthPublisher {
 public:
  void PublishHealth(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring,
                     std::vector<bool> live) override {
    std::lock_guard lock(mutex_);
    pool_ = std::move(pool);
    ring_ = std::move(ring);
    live_ = std::move(live);
    ++publications_;
    changed_.notify_all();
  }

  void WaitForLive(const std::vector<bool>& live) {
    WaitUntil([&] { return live_ == live; });
  }
  void WaitForPool(const PoolSnapshot* pool) {
    WaitUntil([&] { return pool_.get() == pool; });
  }
  // Shards that own some hash in the ring published last.
  std::vector<bool> shards_in_ring() {
    std::lock_guard lock(mutex_);
    std::vector<bool> owns(ring_->shard_count(), false);
    for (const RingPoint& point : ring_->points()) owns[point.shard] = true;
    return owns;
  }
  int publications() {
    std::lock_guard lock(mutex_);
    return publications_;
  }

 private:
  void WaitUntil(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, condition);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  PoolSnapshotPtr pool_;
  std::shared_ptr<const Ring> ring_;
  std::vector<bool> live_;
  int publications_ = 0;
};

class HealthOwnerTest : public testing::Test {
 protected:
  HealthOwnerTest() { owner_.Start(); }
  ~HealthOwnerTest() override { owner_.Stop(); }

  // A pool of the fake shards a and b that ejects at the first failure and probes soon.
  PoolConfig Alpha() {
    PoolConfig pool;
    pool.name = "alpha";
    pool.redis = true;
    pool.auto_eject_hosts = true;
    pool.server_failure_limit = 1;
    pool.server_retry_timeout = absl::Milliseconds(10);
    pool.timeout = absl::Seconds(20);
    for (const char* name : {"a", "b"}) {
      const Endpoint endpoint = *ParseEndpoint(shards_.address(pool.servers.size()));
      pool.servers.push_back({.name = name, .endpoint = endpoint, .ring_name = name});
    }
    return pool;
  }

  void Apply(const PoolConfig& pool) {
    Config config;
    config.pools.push_back(pool);
    snapshot_ = *BuildSnapshot(config, snapshot_.get());
    auto layout = std::make_shared<StatsLayout>();
    layout->pools.push_back({.name = pool.name, .shards = {}});
    for (const ShardConfig& shard : pool.servers) {
      layout->pools[0].shards.push_back(shard.ring_name);
    }
    stats_ = std::make_shared<StatsTable>(layout, stats_.get());
    owner_.Apply(snapshot_, stats_);
    worker_.WaitForPool(snapshot_->pools[0].get());
  }

  void Fails(const std::string& shard, int times = 1) {
    for (int i = 0; i < times; ++i) owner_.ReportFailure("alpha", shard, ShardFailure::kConnect);
  }

  // Returns when the owner has done all that it was told before.
  void Settle() {
    const int before = worker_.publications();
    owner_.Apply(snapshot_, stats_);
    while (worker_.publications() == before) std::this_thread::yield();
  }

  FakeShards shards_{2};
  Worker worker_;
  SnapshotPtr snapshot_;
  std::shared_ptr<StatsTable> stats_;
  HealthOwner owner_{worker_};
};

TEST_F(HealthOwnerTest, EjectsAtTheLimitAndRestoresAfterAProbeThatAnswersPong) {
  Apply(Alpha());
  shards_.SetPingAnswer(0, "-LOADING Redis is loading the dataset in memory\r\n");
  Fails("a");
  worker_.WaitForLive({false, true});
  EXPECT_EQ(worker_.shards_in_ring(), std::vector<bool>({false, true}));
  EXPECT_EQ(stats_->pool(0).server_ejects.Get(), 1);
  EXPECT_GT(stats_->shard(0, 0).server_ejected_at.Get(), 0);
  while (stats_->pool(0).probes_failed.Get() < 2) std::this_thread::yield();
  EXPECT_EQ(stats_->pool(0).server_restores.Get(), 0);

  shards_.SetPingAnswer(0, "+PONG\r\n");
  worker_.WaitForLive({true, true});
  EXPECT_EQ(worker_.shards_in_ring(), std::vector<bool>({true, true}));
  EXPECT_EQ(stats_->pool(0).server_restores.Get(), 1);
  EXPECT_GE(stats_->pool(0).probes.Get(), 3);
}

TEST_F(HealthOwnerTest, ASuccessBreaksTheRowOfFailures) {
  PoolConfig pool = Alpha();
  pool.server_failure_limit = 2;
  Apply(pool);
  Fails("a");
  owner_.ReportSuccess("alpha", "a");
  // Else the second would be the first once more.
  std::this_thread::sleep_for(HealthTracker::kSameEvent);
  Fails("a");
  Settle();
  EXPECT_EQ(stats_->pool(0).server_ejects.Get(), 0);
}

TEST_F(HealthOwnerTest, TheLastLiveShardIsNeverEjected) {
  Apply(Alpha());
  shards_.Stop(0);
  Fails("a");
  worker_.WaitForLive({false, true});
  Fails("b", 10);
  Settle();
  EXPECT_EQ(stats_->pool(0).server_ejects.Get(), 1);
  worker_.WaitForLive({false, true});
}

TEST_F(HealthOwnerTest, APoolThatFailsFastKeepsItsKeysInPlace) {
  PoolConfig pool = Alpha();
  pool.missing_shard = MissingShard::kFailFast;
  Apply(pool);
  shards_.Stop(0);
  Fails("a");
  worker_.WaitForLive({false, true});
  EXPECT_EQ(worker_.shards_in_ring(), std::vector<bool>({true, true}));
}

TEST_F(HealthOwnerTest, NothingIsEjectedWithoutAutoEjectHosts) {
  PoolConfig pool = Alpha();
  pool.auto_eject_hosts = false;
  Apply(pool);
  Fails("a", 10);
  Settle();
  EXPECT_EQ(stats_->pool(0).server_ejects.Get(), 0);
  worker_.WaitForLive({true, true});
}

TEST_F(HealthOwnerTest, ANewSnapshotHearsOfEjectionsByName) {
  Apply(Alpha());
  shards_.Stop(0);
  Fails("a");
  worker_.WaitForLive({false, true});

  PoolConfig grown = Alpha();
  grown.servers.insert(grown.servers.begin(),
                       {.name = "A", .endpoint = grown.servers[1].endpoint, .ring_name = "A"});
  Apply(grown);
  worker_.WaitForLive({true, false, true});
  EXPECT_EQ(worker_.shards_in_ring(), std::vector<bool>({true, false, true}));
  shards_.Start(0);
  worker_.WaitForLive({true, true, true});
}

TEST_F(HealthOwnerTest, AnEjectedShardThatMovedIsProbedAtItsNewPlaceAtOnce) {
  PoolConfig pool = Alpha();
  pool.server_retry_timeout = absl::Hours(1);
  const Endpoint good = pool.servers[0].endpoint;
  pool.servers[0].endpoint = UnixEndpoint("/nonexistent/shard");
  Apply(pool);
  Fails("a");
  worker_.WaitForLive({false, true});
  pool.servers[0].endpoint = good;
  Apply(pool);
  worker_.WaitForLive({true, true});
}

TEST_F(HealthOwnerTest, AnEjectedShardIsProbedAtOnceWhenItIsOpenedInAnotherWay) {
  PoolConfig pool = Alpha();
  pool.server_retry_timeout = absl::Hours(1);
  pool.redis_db = 3;  // which the fake shard refuses
  Apply(pool);
  Fails("a");
  worker_.WaitForLive({false, true});
  pool.redis_db = 0;
  Apply(pool);
  worker_.WaitForLive({true, true});
}

TEST_F(HealthOwnerTest, AnEjectedShardIsProbedAtOnceWhenItsNameHasANewAddress) {
  PoolConfig pool = Alpha();
  pool.server_retry_timeout = absl::Hours(1);
  const Endpoint good = pool.servers[0].endpoint;
  pool.servers[0].endpoint = TcpEndpoint("shard.invalid", 6379);
  Apply(pool);
  Fails("a");
  worker_.WaitForLive({false, true});
  owner_.SetAddresses(pool.servers[0].endpoint, {*LiteralAddress(good)});
  worker_.WaitForLive({true, true});
}

TEST_F(HealthOwnerTest, AnUnchangedSnapshotIsPublishedAgainForWorkersThatBeganAnew) {
  Apply(Alpha());
  const int before = worker_.publications();
  Settle();
  EXPECT_GT(worker_.publications(), before);
}

TEST_F(HealthOwnerTest, ProbesGoToTheAddressesOfAName) {
  PoolConfig pool = Alpha();
  const ResolvedAddress real = *LiteralAddress(pool.servers[0].endpoint);
  pool.servers[0].endpoint = TcpEndpoint("shard-a.test", 6379);
  Apply(pool);
  Fails("a");
  worker_.WaitForLive({false, true});
  while (stats_->pool(0).probes_failed.Get() < 1) std::this_thread::yield();
  owner_.SetAddresses(pool.servers[0].endpoint, {real});
  worker_.WaitForLive({true, true});
}

TEST_F(HealthOwnerTest, ReportsOfUnknownPoolsAndShardsAreIgnored) {
  Fails("a");  // before any snapshot
  Apply(Alpha());
  Fails("c", 2);
  owner_.ReportFailure("beta", "a", ShardFailure::kReset);
  owner_.ReportSuccess("beta", "a");
  Settle();
  EXPECT_EQ(stats_->pool(0).server_ejects.Get(), 0);
}

TEST_F(HealthOwnerTest, NothingIsPublishedAfterStop) {
  Apply(Alpha());
  owner_.Stop();
  const int before = worker_.publications();
  Fails("a");
  owner_.Apply(snapshot_, stats_);
  EXPECT_EQ(worker_.publications(), before);
}

}  // namespace
}  // namespace weir
