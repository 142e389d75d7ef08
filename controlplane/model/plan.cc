#include "controlplane/model/plan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "controlplane/model/key_sample.h"
#include "controlplane/model/owner_runs.h"

namespace weir {
namespace {

constexpr uint32_t kNobody = OwnerRuns::kNobody;
// More runs than this are not counted but sampled.
constexpr double kMostRuns = 4e6;
constexpr uint32_t kCrc32Values = 1 << 15;

// Placement, ready to be asked.
class Owners {
 public:
  explicit Owners(const Placement& placement)
      : placement_(placement),
        ring_(BuildRing(placement.distribution, placement.shards)),
        key_hash_(GetKeyHashFunction(placement.hash, placement.hash_char)) {}

  uint32_t OfHash(uint32_t hash) const { return ring_.empty() ? kNobody : ring_.Select(hash); }
  uint32_t OfKey(std::string_view key) const { return OfHash(key_hash_(key)); }
  OwnerRuns Runs() const { return OwnerRuns(ring_, placement_.distribution); }

  // Shards and nobody.
  size_t count() const { return placement_.shards.size() + 1; }
  size_t IndexOf(uint32_t shard) const { return shard == kNobody ? count() - 1 : shard; }
  std::string_view NameAt(size_t index) const {
    return index + 1 == count() ? std::string_view() : placement_.shards[index].ring_name;
  }

 private:
  const Placement& placement_;
  Ring ring_;
  KeyHashFunction key_hash_;
};

// How many hashes (or keys) each pair of owners has: only pairs that have some, because two large
// pools have more pairs than there is memory.
class PairCounts {
 public:
  PairCounts(const Owners& before, const Owners& after) : before_(before), after_(after) {}

  void Add(uint32_t from, uint32_t to, uint64_t hashes) {
    counts_[before_.IndexOf(from) * after_.count() + after_.IndexOf(to)] += hashes;
    total_ += hashes;
  }

  void MoveInto(v1::Plan& plan) const {
    uint64_t moved = 0;
    std::vector<Moved> moves;
    for (const auto& [pair, hashes] : counts_) {
      const std::string_view from = before_.NameAt(pair / after_.count());
      const std::string_view to = after_.NameAt(pair % after_.count());
      if (from == to) continue;
      moved += hashes;
      moves.push_back({.from = from, .to = to, .hashes = hashes});
    }
    const auto listed = moves.begin() + std::min<ptrdiff_t>(std::ssize(moves), kMostMoves);
    std::ranges::partial_sort(moves, listed, [](const Moved& a, const Moved& b) {
      return std::tie(b.hashes, a.from, a.to) < std::tie(a.hashes, b.from, b.to);
    });
    for (auto move = moves.begin(); move != listed; ++move) {
      v1::Move& shown = *plan.add_moves();
      shown.set_from_shard(std::string(move->from));
      shown.set_to_shard(std::string(move->to));
      shown.set_fraction(ShareOf(move->hashes));
    }
    plan.set_moved_fraction(ShareOf(moved));
  }

 private:
  struct Moved {
    std::string_view from;
    std::string_view to;
    uint64_t hashes;
  };

  double ShareOf(uint64_t hashes) const {
    return static_cast<double>(hashes) / static_cast<double>(total_);
  }

  const Owners& before_;
  const Owners& after_;
  absl::flat_hash_map<uint64_t, uint64_t> counts_;  // by both indexes
  uint64_t total_ = 0;
};

// Adds what the hashes below `limit` do, each `times` times.
void CountRuns(const Owners& before, const Owners& after, uint64_t limit, uint64_t times,
               PairCounts& counts) {
  OwnerRuns from_runs = before.Runs();
  OwnerRuns to_runs = after.Runs();
  for (uint64_t hash = 0; hash < limit;) {
    OwnerRuns::Run from = from_runs.At(hash);
    OwnerRuns::Run to = to_runs.At(hash);
    uint64_t end = std::min({from.end, to.end, limit});
    counts.Add(from.shard, to.shard, (end - hash) * times);
    hash = end;
  }
}

double RunsBelow(const OwnerRuns& runs, uint64_t limit) {
  return static_cast<double>(limit) / static_cast<double>(runs.period()) *
         static_cast<double>(runs.runs_per_period());
}

// Counts all 2^32 hashes, or nothing and returns false when that would take too long.
bool CountAllHashes(const Owners& before, const Owners& after, PairCounts& counts) {
  OwnerRuns from = before.Runs();
  OwnerRuns to = after.Runs();
  // Fits: both are at most 2^32, and one that is 2^32 + something is cut.
  uint64_t from_share = from.period() / std::gcd(from.period(), to.period());
  uint64_t period = from_share > kHashSpace / to.period() ? kHashSpace : from_share * to.period();
  if (RunsBelow(from, period) + RunsBelow(to, period) > kMostRuns) return false;
  CountRuns(before, after, period, kHashSpace / period, counts);
  CountRuns(before, after, kHashSpace % period, 1, counts);
  return true;
}

void SampleHashes(const Owners& before, const Owners& after, PairCounts& counts) {
  SampleNumbers numbers(1);
  for (size_t i = 0; i < kSampleSize; ++i) {
    auto hash = static_cast<uint32_t>(numbers.Next());
    counts.Add(before.OfHash(hash), after.OfHash(hash), 1);
  }
}

// `independent`: the hash afterwards has nothing to do with the one before.
void SampleKeyPairs(const Owners& before, const Owners& after, bool independent,
                    PairCounts& counts) {
  SampleKeys keys(1);
  SampleKeys others(2);
  for (size_t i = 0; i < kSampleSize; ++i) {
    std::string_view key = keys.Next();
    std::string_view other = independent ? others.Next() : key;
    counts.Add(before.OfKey(key), after.OfKey(other), 1);
  }
}

bool IsUneven(KeyHash hash) { return hash == KeyHash::kCrc16 || hash == KeyHash::kHsieh; }

bool HeedsCharSign(KeyHash hash) {
  return GetKeyHashFunction(hash, CharSign::kSigned) !=
         GetKeyHashFunction(hash, CharSign::kUnsigned);
}

// Why a key's hash afterwards has nothing to do with the one before; empty: it has.
std::string_view WhyIndependent(const Placement& before, const Placement& after) {
  if ((before.distribution == Distribution::kRandom) !=
      (after.distribution == Distribution::kRandom)) {
    return "with distribution random a key has no owner: the share is that of requests";
  }
  if (before.hash_tag != after.hash_tag) {
    return "hash_tag changes: the share is that of the keys with a tag";
  }
  if (before.hash == after.hash && before.hash_char != after.hash_char &&
      HeedsCharSign(before.hash)) {
    return "hash_char changes: the share is that of the keys with bytes from 0x80 on";
  }
  return {};
}

void Estimate(v1::Plan& plan, std::string_view because) {
  plan.set_method(v1::PLAN_ESTIMATED);
  plan.set_estimated_because(std::string(because));
}

void CountOrEstimate(const Placement& before, const Placement& after, v1::Plan& plan) {
  Owners from(before);
  Owners to(after);
  PairCounts counts(from, to);
  if (std::string_view because = WhyIndependent(before, after); !because.empty()) {
    SampleKeyPairs(from, to, /*independent=*/true, counts);
    Estimate(plan, because);
  } else if (before.hash != after.hash) {
    SampleKeyPairs(from, to, /*independent=*/false, counts);
    Estimate(plan, "the key hash changes");
  } else if (IsUneven(before.hash)) {
    SampleKeyPairs(from, to, /*independent=*/false, counts);
    Estimate(plan, "this key hash does not produce all values equally often");
  } else if (before.hash == KeyHash::kCrc32) {
    for (uint32_t hash = 0; hash < kCrc32Values; ++hash) {
      counts.Add(from.OfHash(hash), to.OfHash(hash), 1);
    }
  } else if (!CountAllHashes(from, to, counts)) {
    SampleHashes(from, to, counts);
    Estimate(plan, "the two rings repeat together too late to be counted");
  }
  counts.MoveInto(plan);
}

bool SameRing(const Placement& a, const Placement& b) {
  return std::ranges::equal(a.shards, b.shards, [](const RingShard& x, const RingShard& y) {
    return x.ring_name == y.ring_name && x.weight == y.weight;
  });
}

bool SameHashing(const Placement& a, const Placement& b) {
  return a.hash == b.hash && a.hash_char == b.hash_char && a.hash_tag == b.hash_tag &&
         a.distribution == b.distribution;
}

}  // namespace

v1::Plan PlanMoves(const Placement& before, const Placement& after) {
  v1::Plan plan;
  plan.set_method(v1::PLAN_EXACT);
  plan.set_shards_before(static_cast<uint32_t>(before.shards.size()));
  plan.set_shards_after(static_cast<uint32_t>(after.shards.size()));
  if (before.shards.empty()) return plan;
  if (before.distribution == Distribution::kRandom && after.distribution == Distribution::kRandom) {
    plan.set_method(v1::PLAN_NOT_APPLICABLE);
    return plan;
  }
  if (SameRing(before, after) && SameHashing(before, after)) return plan;
  CountOrEstimate(before, after, plan);
  return plan;
}

}  // namespace weir
