#include "proxy/base/chunk_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <vector>

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

}  // namespace
}  // namespace weir
