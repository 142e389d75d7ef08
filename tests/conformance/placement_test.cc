// The promise of a drop-in replacement: every key on the shard where twemproxy puts it.
//
// A proxy stands in front of fake shards that say who they are. Every key is asked for in every
// pool, and the answer is compared with our own hash and ring; then a shard goes away, and all is
// asked again. Against twemproxy this checks our code, against weir-proxy (see proxy_under_test.h)
// the whole program.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "proxy/base/strings.h"
#include "proxy/hashing/ring_name.h"
#include "tests/conformance/placement_pools.h"
#include "tests/support/fake_shards.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/resp_client.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

constexpr uint32_t kSeed = 20240229;
constexpr size_t kKeys = 2000;
constexpr size_t kPipelined = 250;
constexpr size_t kShards = 30;

// A GET for each key, as so many pipelines that are sent one after the other.
struct Pipeline {
  std::string requests;
  size_t count = 0;
};

std::vector<Pipeline> MakePipelines(const std::vector<std::string>& keys) {
  std::vector<Pipeline> pipelines;
  for (const std::string& key : keys) {
    if (pipelines.empty() || pipelines.back().count == kPipelined) pipelines.emplace_back();
    pipelines.back().requests += EncodeRequest({"GET", key});
    ++pipelines.back().count;
  }
  return pipelines;
}

class PlacementTest : public testing::TestWithParam<std::tuple<ProxyProgram, std::string_view>> {
 protected:
  PlacementTest()
      : tcp_shards_(kShards),
        unix_shards_(kShards, directory_.path()),
        keys_(MakeKeys(kKeys, kSeed)),
        pipelines_(MakePipelines(keys_)),
        pools_(MakePools(ParseKeyHash(std::get<1>(GetParam())).value(), tcp_shards_, unix_shards_,
                         directory_.path(), kSeed)),
        proxy_(std::get<0>(GetParam()), MakeConfiguration(pools_)) {}

  // Asks for every key and compares the shards that answer.
  void ExpectPlacement(RespClient& client, const Placement& expected) const {
    std::vector<Reply> replies;
    for (const Pipeline& pipeline : pipelines_) {
      for (Reply& reply : client.Ask(pipeline.requests, pipeline.count)) {
        replies.push_back(std::move(reply));
      }
    }
    ASSERT_EQ(replies.size(), keys_.size()) << "the proxy hung up";
    size_t differences = 0;
    std::string examples;
    for (size_t i = 0; i < keys_.size(); ++i) {
      size_t shard = expected.ShardOf(keys_[i]);
      if (!replies[i].is_error() && ParseInt<size_t>(replies[i].text) == shard) continue;
      if (++differences > 3) continue;
      StrAppend(&examples, "\n", testing::PrintToString(keys_[i]), ": the proxy says ",
                replies[i].text, ", we say ", shard);
    }
    EXPECT_EQ(differences, 0u) << "of " << keys_.size() << " keys, for instance:" << examples;
  }

  // Some key that the pool has on this shard; none when the shard has none of ours.
  std::optional<std::string> KeyOn(const PlacementPool& pool, size_t shard) const {
    Placement placement(pool);
    for (const std::string& key : keys_) {
      if (placement.ShardOf(key) == shard) return key;
    }
    return std::nullopt;
  }

  // Compares once more, while this shard is away. False, and nothing is compared, when the shard
  // has none of our keys.
  bool ExpectPlacementWithout(size_t shard, const PlacementPool& pool, RespClient& client) const {
    SCOPED_TRACE(StrCat(pool.name, " without shard ", shard));
    const std::optional<std::string> key = KeyOn(pool, shard);
    if (!key) return false;
    // Errors until the proxy has noticed; from then on an answer from another shard.
    EXPECT_TRUE(Eventually([&] {
      std::optional<Reply> reply = client.Get(*key);
      return reply && !reply->is_error();
    }));
    ExpectPlacement(client, Placement(pool, shard));
    return true;
  }

  TempDirectory directory_;
  FakeShards tcp_shards_;
  FakeShards unix_shards_;
  std::vector<std::string> keys_;
  std::vector<Pipeline> pipelines_;
  std::vector<PlacementPool> pools_;
  RunningProxy proxy_;
};

TEST_P(PlacementTest, EveryKeyIsWhereOurRingHasItBeforeAndAfterAnEjection) {
  std::vector<RespClient> clients;
  for (const PlacementPool& pool : pools_) {
    SCOPED_TRACE(pool.name);
    clients.emplace_back(pool.listen);
    ExpectPlacement(clients.back(), Placement(pool));
  }

  // Each pool of several shards loses one that has some of the keys: the first of those that leave,
  // one after the other, of which that is true.
  std::set<size_t> to_compare;
  for (size_t i = 0; i < pools_.size(); ++i) {
    if (pools_[i].shards.size() > 1) to_compare.insert(i);
  }
  for (size_t shard = 0; shard < kShards && !to_compare.empty(); ++shard) {
    tcp_shards_.Stop(shard);
    unix_shards_.Stop(shard);
    std::erase_if(to_compare,
                  [&](size_t i) { return ExpectPlacementWithout(shard, pools_[i], clients[i]); });
    tcp_shards_.Start(shard);
    unix_shards_.Start(shard);
  }
  for (size_t i : to_compare) ADD_FAILURE() << pools_[i].name << " was not compared";
  EXPECT_TRUE(proxy_.process().Running());
  if (HasFailure()) ADD_FAILURE() << proxy_.Log() << MakeConfiguration(pools_);
}

INSTANTIATE_TEST_SUITE_P(Placement, PlacementTest,
                         testing::Combine(testing::ValuesIn(ProxyPrograms()),
                                          testing::ValuesIn(KeyHashNames().begin(),
                                                            KeyHashNames().end())),
                         [](const auto& info) {
                           return StrCat(std::get<0>(info.param).name, "_",
                                         std::get<1>(info.param));
                         });

// What a proxy's stats say of a pool; null when nobody answers yet, or the pool is not served yet.
nlohmann::ordered_json PoolStats(RunningProxy& proxy, const std::string& pool) {
  const OwnedFd socket = Connect(StrCat("127.0.0.1:", proxy.stats_port()));
  if (!socket) return {};
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  const auto stats = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  return stats.is_object() && stats.contains(pool) ? stats[pool] : nlohmann::ordered_json();
}

// The ring names of a pool as a proxy's stats list them.
std::vector<std::string> RingNamesInStats(RunningProxy& proxy, const std::string& pool) {
  nlohmann::ordered_json stats;
  Eventually([&] {
    stats = PoolStats(proxy, pool);
    return !stats.is_null();
  });
  std::vector<std::string> names;
  for (const auto& [name, value] : stats.items()) {
    if (value.is_object()) names.push_back(name);
  }
  return names;
}

class RingNameConformanceTest : public testing::TestWithParam<ProxyProgram> {};

TEST_P(RingNameConformanceTest, ShardsAreNamedAndSortedAsOursAre) {
  // Nothing listens at these addresses, and nothing connects to them.
  RunningProxy proxy(GetParam(), StrCat("pool:\n  listen: 127.0.0.1:", FreePort(),
                                        "\n"
                                        "  redis: true\n"
                                        "  servers:\n"
                                        "   - 127.0.0.1:6379:3\n"
                                        "   - 127.0.0.1:11211:1\n"
                                        "   - 127.0.0.2:011211:1\n"
                                        "   - 127.0.0.1:06380:1\n"
                                        "   - 127.0.0.1:6381:1 zeta\n"
                                        "   - 127.0.0.1:6381:1 alpha\n"
                                        "   - /nowhere/redis.sock:1\n"
                                        "   - /nowhere/redis.sock:2 Beta\n"
                                        "   - ::1:6379:1\n"));
  std::vector<std::string> ours = {RingName("", "127.0.0.1", "6379"),
                                   RingName("", "127.0.0.1", "11211"),
                                   RingName("", "127.0.0.2", "011211"),
                                   RingName("", "127.0.0.1", "06380"),
                                   RingName("zeta", "127.0.0.1", "6381"),
                                   RingName("alpha", "127.0.0.1", "6381"),
                                   UnixRingName("", "/nowhere/redis.sock"),
                                   UnixRingName("Beta", "/nowhere/redis.sock"),
                                   RingName("", "::1", "6379")};
  std::ranges::sort(ours, SortsBefore);
  EXPECT_EQ(RingNamesInStats(proxy, "pool"), ours) << proxy.Log();
}

INSTANTIATE_TEST_SUITE_P(Placement, RingNameConformanceTest, testing::ValuesIn(ProxyPrograms()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace weir
