#include "proxy/server/shard_names.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proxy/base/strings.h"
#include "proxy/config/snapshot_builder.h"

namespace weir {
namespace {

// A name server of the test's making.
class NameServer {
 public:
  void Set(const std::string& host, const std::string& address) {
    std::lock_guard lock(mutex_);
    addresses_[host] = address;
  }
  int lookups() {
    std::lock_guard lock(mutex_);
    return lookups_;
  }
  absl::StatusOr<Addresses> Lookup(const std::string& host, uint16_t port) {
    std::lock_guard lock(mutex_);
    ++lookups_;
    auto found = addresses_.find(host);
    if (found == addresses_.end()) return Unavailable(host, ": no such name");
    return Addresses{*LiteralAddress(found->second, port)};
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> addresses_;
  int lookups_ = 0;
};

class ShardNamesTest : public testing::Test {
 protected:
  static PoolConfig Pool(const std::string& name, const std::vector<std::string>& shards) {
    PoolConfig pool;
    pool.name = name;
    pool.redis = true;
    pool.resolve_interval = absl::ZeroDuration();  // on Refresh only
    for (const std::string& shard : shards) {
      const std::string ring_name = StrCat("shard-", pool.servers.size());
      pool.servers.push_back(
          {.name = ring_name, .endpoint = *ParseEndpoint(shard), .ring_name = ring_name});
    }
    return pool;
  }

  void Apply(std::vector<PoolConfig> pools) {
    Config config;
    config.pools = std::move(pools);
    names_.Apply(**BuildSnapshot(config, nullptr));
  }

  // The next line of what was told; waited for without a limit.
  std::string Told() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !told_.empty(); });
    std::string first = told_.front();
    told_.erase(told_.begin());
    return first;
  }
  bool told_more() {
    std::lock_guard lock(mutex_);
    return !told_.empty();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
  std::shared_ptr<NameServer> server_ = std::make_shared<NameServer>();
  ShardNames names_{
      {.lookup = [server = server_](const std::string& host,
                                    uint16_t port) { return server->Lookup(host, port); },
       .retry_after = absl::Milliseconds(1),
       .min_refresh_gap = absl::ZeroDuration()},
      [this](const Endpoint& endpoint, const Addresses& addresses) {
        std::lock_guard lock(mutex_);
        std::string line = FormatEndpoint(endpoint) + " is";
        for (const auto& address : addresses) line += " " + address.ToString();
        told_.push_back(line);
        changed_.notify_all();
      }};
};

TEST_F(ShardNamesTest, TellsAddressesAndTheirChanges) {
  server_->Set("a.test", "10.0.0.1");
  Apply({Pool("alpha", {"a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.1:6379");
  server_->Set("a.test", "10.0.0.2");
  names_.Refresh(TcpEndpoint("a.test", 6379));
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.2:6379");
}

TEST_F(ShardNamesTest, ANameWithoutAddressIsToldSoUntilItHasOne) {
  Apply({Pool("alpha", {"a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is");
  server_->Set("a.test", "10.0.0.1");
  std::string told = Told();
  while (told == "a.test:6379 is") told = Told();
  EXPECT_EQ(told, "a.test:6379 is 10.0.0.1:6379");
}

TEST_F(ShardNamesTest, LiteralAddressesAreNeverLookedUp) {
  Apply({Pool("alpha", {"10.0.0.1:6379", "[::1]:6379", "/run/redis.sock"})});
  names_.Refresh(TcpEndpoint("10.0.0.1", 6379));
  server_->Set("a.test", "10.0.0.9");
  Apply({Pool("alpha", {"10.0.0.1:6379", "a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.9:6379");
  EXPECT_EQ(server_->lookups(), 1);
}

TEST_F(ShardNamesTest, PoolsShareTheWatchOfAName) {
  server_->Set("a.test", "10.0.0.1");
  Apply({Pool("alpha", {"a.test:6379"}), Pool("beta", {"a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.1:6379");
  EXPECT_EQ(server_->lookups(), 1);
}

TEST_F(ShardNamesTest, EachSnapshotIsToldWhatIsKnownAtOnce) {
  server_->Set("a.test", "10.0.0.1");
  Apply({Pool("alpha", {"a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.1:6379");
  Apply({Pool("alpha", {"a.test:6379"}), Pool("beta", {"a.test:6379"})});
  EXPECT_TRUE(told_more());
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.1:6379");
}

TEST_F(ShardNamesTest, NamesThatLeaveAreWatchedNoMore) {
  server_->Set("a.test", "10.0.0.1");
  server_->Set("b.test", "10.0.0.2");
  Apply({Pool("alpha", {"a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.1:6379");
  Apply({Pool("alpha", {"b.test:6379"})});
  EXPECT_EQ(Told(), "b.test:6379 is 10.0.0.2:6379");
  server_->Set("a.test", "10.0.0.7");
  server_->Set("b.test", "10.0.0.8");
  names_.Refresh(TcpEndpoint("a.test", 6379));
  names_.Refresh(TcpEndpoint("b.test", 6379));
  EXPECT_EQ(Told(), "b.test:6379 is 10.0.0.8:6379");
  EXPECT_FALSE(told_more());
}

TEST_F(ShardNamesTest, RefreshAfterStopIsHarmless) {
  server_->Set("a.test", "10.0.0.1");
  Apply({Pool("alpha", {"a.test:6379"})});
  EXPECT_EQ(Told(), "a.test:6379 is 10.0.0.1:6379");
  names_.Stop();
  names_.Refresh(TcpEndpoint("a.test", 6379));
  EXPECT_FALSE(told_more());
}

}  // namespace
}  // namespace weir
