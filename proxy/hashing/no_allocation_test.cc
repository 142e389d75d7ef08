// Looking up a key allocates nothing, whatever the hash and the distribution. In a test program of
// its own, because it replaces the global operator new.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "proxy/base/strings.h"
#include "proxy/hashing/hash_tag.h"
#include "proxy/hashing/key_hash.h"
#include "proxy/hashing/ring.h"

namespace {
size_t allocations = 0;
}  // namespace

void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
void* operator new(size_t bytes) {
  void* memory = operator new(bytes, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace weir {
namespace {

TEST(NoAllocationTest, TheCountSeesAllocations) {
  size_t before = allocations;
  std::string key(1000, 'x');
  EXPECT_GT(allocations, before);
}

TEST(NoAllocationTest, LookupNeverAllocates) {
  std::vector<RingShard> shards;
  for (int i = 0; i < 30; ++i) shards.push_back({.ring_name = StrCat("shard-", i)});
  std::ranges::sort(shards, SortsBefore, &RingShard::ring_name);
  const std::string keys[] = {"", "a", "{user1}:ids", std::string(5000, 'x')};
  for (std::string_view distribution : DistributionNames()) {
    Ring ring = BuildRing(ParseDistribution(distribution).value(), shards);
    for (std::string_view name : KeyHashNames()) {
      KeyHashFunction hash = GetKeyHashFunction(ParseKeyHash(name).value());
      size_t before = allocations;
      uint32_t sum = 0;
      for (const std::string& key : keys) {
        sum += ring.Select(hash(HashedPart(key, {.open = '{', .close = '}', .enabled = true})));
      }
      EXPECT_EQ(allocations, before) << distribution << ", " << name << ", sum " << sum;
    }
  }
}

}  // namespace
}  // namespace weir
