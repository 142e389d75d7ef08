#include "tests/conformance/placement_pools.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/hashing/ring_name.h"

namespace weir {
namespace {

using Random = std::mt19937;

struct Variant {
  std::string_view name;
  bool weights = false;
  bool names = false;
  bool unix_sockets = false;
  std::string_view hash_tag = "";
};
constexpr Variant kVariants[] = {
    {.name = "plain"},
    {.name = "weights", .weights = true},
    {.name = "names", .names = true, .hash_tag = "{}"},
    {.name = "weights_names", .weights = true, .names = true, .hash_tag = "$$"},
    {.name = "unix", .unix_sockets = true},
};
constexpr size_t kSizes[] = {1, 2, 5, 25, 30};

// Different names of different lengths, whose order is neither that of the file nor the alphabet's.
std::string MakeName(size_t shard, Random& random) {
  constexpr std::string_view kStems[] = {"redis-", "s", "Shard_", "cache.example.com:", "b"};
  return StrCat(kStems[random() % std::size(kStems)], shard * 7 % 31);
}

std::string RingNameOf(const PlacementPool::Shard& shard) {
  if (shard.address.starts_with('/')) return UnixRingName(shard.name, shard.address);
  size_t colon = shard.address.rfind(':');
  return RingName(shard.name, shard.address.substr(0, colon), shard.address.substr(colon + 1));
}

PlacementPool MakePool(const Variant& variant, size_t size, const FakeShards& fake_shards,
                       Random& random) {
  PlacementPool pool;
  pool.name = StrCat(variant.name, "_", size);
  pool.hash_tag = variant.hash_tag;
  for (size_t shard = 0; shard < size; ++shard) {
    pool.shards.push_back({.address = fake_shards.address(shard), .weight = 1, .name = ""});
    if (variant.weights) pool.shards.back().weight = 1 + random() % 20;
    if (variant.names) pool.shards.back().name = MakeName(shard, random);
  }
  return pool;
}

std::string RandomText(size_t length, std::string_view alphabet, Random& random) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

std::string RandomBytes(size_t length, Random& random) {
  std::string bytes;
  for (size_t i = 0; i < length; ++i) bytes += static_cast<char>(random());
  return bytes;
}

std::string MakeKey(Random& random) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789:_-";
  constexpr std::string_view kSyntax = "{}$ \r\nab*";
  switch (random() % 10) {
    case 0:
      return StrCat("user:", random() % 1000000);
    case 1:
      return StrCat("{user", random() % 1000, "}:", RandomText(5, kLetters, random));
    case 2:
      return StrCat("session$", random() % 1000, "$", RandomText(5, kLetters, random));
    case 3:
      return RandomText(random() % 12, kSyntax, random);
    case 4:
      return RandomBytes(1 + random() % 3, random);
    case 5:
    case 6:
      return RandomBytes(random() % 64, random);
    case 7:
      return RandomBytes(random() % (random() % 8 == 0 ? 4096 : 256), random);
    default:
      return RandomText(1 + random() % 40, kLetters, random);
  }
}

}  // namespace

std::vector<PlacementPool> MakePools(KeyHash hash, const FakeShards& tcp_shards,
                                     const FakeShards& unix_shards, const std::string& directory,
                                     uint32_t seed) {
  Random random(seed);
  std::vector<PlacementPool> pools;
  for (Distribution distribution : {Distribution::kKetama, Distribution::kModula}) {
    for (const Variant& variant : kVariants) {
      for (size_t size : kSizes) {
        const FakeShards& shards = variant.unix_sockets ? unix_shards : tcp_shards;
        PlacementPool pool = MakePool(variant, size, shards, random);
        pool.name = StrCat(DistributionName(distribution), "_", pool.name);
        pool.listen = StrCat(directory, "/", pool.name);
        pool.hash = hash;
        pool.distribution = distribution;
        pools.push_back(std::move(pool));
      }
    }
  }
  return pools;
}

std::string MakeConfiguration(const std::vector<PlacementPool>& pools) {
  std::string text;
  for (const PlacementPool& pool : pools) {
    StrAppend(&text, pool.name, ":\n  listen: ", pool.listen,
              "\n  redis: true\n  hash: ", KeyHashName(pool.hash),
              "\n  distribution: ", DistributionName(pool.distribution),
              "\n  auto_eject_hosts: true\n  server_failure_limit: 1\n"
              "  server_retry_timeout: 100000000\n");
    if (!pool.hash_tag.empty()) StrAppend(&text, "  hash_tag: \"", pool.hash_tag, "\"\n");
    StrAppend(&text, "  servers:\n");
    for (const PlacementPool::Shard& shard : pool.shards) {
      StrAppend(&text, "   - ", shard.address, ":", shard.weight, shard.name.empty() ? "" : " ",
                shard.name, "\n");
    }
  }
  return text;
}

std::vector<std::string> MakeKeys(size_t count, uint32_t seed) {
  Random random(seed);
  std::set<std::string> keys = {"",     "a",
                                "{}",   "{}a",
                                "$$",   "$",
                                "{",    std::string(1, '\0'),
                                "\xff", std::string(4096, '\xff')};
  while (keys.size() < count) keys.insert(MakeKey(random));
  return {keys.begin(), keys.end()};
}

Placement::Placement(const PlacementPool& pool, size_t ejected)
    : hash_(GetKeyHashFunction(pool.hash)), fake_shards_(pool.shards.size()) {
  if (!pool.hash_tag.empty()) {
    tag_ = {.open = pool.hash_tag[0], .close = pool.hash_tag[1], .enabled = true};
  }
  std::iota(fake_shards_.begin(), fake_shards_.end(), size_t{0});
  std::ranges::sort(fake_shards_, SortsBefore,
                    [&](size_t shard) { return RingNameOf(pool.shards[shard]); });
  std::vector<RingShard> ring_shards;
  for (size_t shard : fake_shards_) {
    ring_shards.push_back({.ring_name = RingNameOf(pool.shards[shard]),
                           .weight = pool.shards[shard].weight,
                           .live = shard != ejected});
  }
  ring_ = BuildRing(pool.distribution, ring_shards);
  CHECK(!ring_.empty());
}

size_t Placement::ShardOf(std::string_view key) const {
  return fake_shards_[ring_.Select(hash_(HashedPart(key, tag_)))];
}

}  // namespace weir
