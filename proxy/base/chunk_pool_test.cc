#include "proxy/base/chunk_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "tests/support/sanitizers.h"

namespace weir {
namespace {

// Resident bytes of this process.
size_t ResidentBytes() {
  size_t pages = 0;
  FILE* file = std::fopen("/proc/self/statm", "r");
  EXPECT_EQ(std::fscanf(file, "%*u %zu", &pages), 1);
  std::fclose(file);
  return pages * 4096;
}

TEST(ChunkPoolTest, GivesTheSmallestSizeThatFits) {
  ChunkPool pool;
  for (uint32_t size : ChunkPool::kSizes) {
    const size_t wanted = size - sizeof(Chunk);
    Chunk* chunk = pool.Allocate(wanted);
    EXPECT_EQ(chunk->room(), wanted);
    EXPECT_EQ(pool.bytes_in_use(), size);
    pool.Free(chunk);
  }
  Chunk* chunk = pool.Allocate(10 << 20);
  EXPECT_EQ(chunk->room(), ChunkPool::kSizes.back() - sizeof(Chunk));
  pool.Free(chunk);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(ChunkPoolTest, ReusesAFreedChunk) {
  ChunkPool pool;
  Chunk* first = pool.Allocate(1000);
  pool.Free(first);
  Chunk* second = pool.Allocate(2000);
  EXPECT_EQ(second, first);
  pool.Free(second);
}

TEST(ChunkPoolTest, MemoryReturnsAfterABurstWhateverWasAllocatedAfterIt) {
  if (kSanitized) GTEST_SKIP() << "sanitizers take memory of their own";
  ChunkPool pool;
  const size_t before = ResidentBytes();
  std::vector<Chunk*> burst;
  for (int i = 0; i < 1024; ++i) {
    burst.push_back(pool.Allocate(65536));
    std::fill_n(burst.back()->data(), burst.back()->capacity, 'x');
  }
  EXPECT_GE(ResidentBytes() - before, 60u << 20);
  Chunk* late = pool.Allocate(400);
  for (Chunk* chunk : burst) pool.Free(chunk);
  EXPECT_LE(ResidentBytes(), before + (8u << 20));
  pool.Free(late);
}

// Mappings of this process as many as the system allows, as long as it lives.
class AllMappings {
 public:
  AllMappings() {
    for (size_t page = 0; page < kPages; page += 2) {
      if (mprotect(region_ + page * kPage, kPage, PROT_READ) == 0) continue;
      used_up_ = true;
      break;
    }
  }
  ~AllMappings() { munmap(region_, kPages * kPage); }
  bool used_up() const { return used_up_; }

 private:
  static constexpr size_t kPage = 4096;
  static constexpr size_t kPages = 140'000;
  char* region_ = static_cast<char*>(
      mmap(nullptr, kPages* kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  bool used_up_ = false;
};

TEST(ChunkPoolTest, ChunksThatTheSystemDoesNotTakeBackStayInThePool) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need mappings themselves";
  ChunkPool pool;
  std::vector<Chunk*> chunks;
  for (int i = 0; i < 200; ++i) chunks.push_back(pool.Allocate(60'000));
  // Not from one end to the other, so that each makes a hole.
  for (int i = 1; i < 200; i += 2) std::swap(chunks[i / 2], chunks[i]);
  {
    AllMappings mappings;
    for (Chunk* chunk : chunks) pool.Free(chunk);
    if (!mappings.used_up()) GTEST_SKIP() << "vm.max_map_count is large";
    EXPECT_EQ(pool.bytes_in_use(), 0u);
  }
  for (Chunk*& chunk : chunks) chunk = pool.Allocate(60'000);
  for (Chunk* chunk : chunks) pool.Free(chunk);
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace weir
