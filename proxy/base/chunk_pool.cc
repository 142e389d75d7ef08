#include "proxy/base/chunk_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "proxy/base/check.h"

namespace weir {
namespace {

// From this size on chunks are pages of their own: malloc gives memory back only from the end of
// its heap, and one small allocation there would hold on to a whole burst.
constexpr uint32_t kPagesFrom = 16 * 1024;

void* NewMemory(uint32_t size) {
  if (size < kPagesFrom) {
    void* memory = std::malloc(size);
    CHECK(memory != nullptr);
    return memory;
  }
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return memory;
}

// False when the system does not take the pages back, because the hole would be one mapping too
// many (vm.max_map_count): then they are empty, and stay.
bool DeleteMemory(void* memory, uint32_t size) {
  if (size < kPagesFrom) {
    std::free(memory);
    return true;
  }
  if (munmap(memory, size) == 0) return true;
  madvise(memory, size, MADV_DONTNEED);
  return false;
}

}  // namespace

ChunkPool::~ChunkPool() {
  CHECK_EQ(bytes_in_use(), 0u);
  for (uint32_t size_class = 0; size_class < kSizes.size(); ++size_class) {
    while (free_[size_class] != nullptr && DeleteFree(size_class)) {
    }
  }
}

Chunk* ChunkPool::Allocate(size_t wanted, size_t most) {
  uint32_t size_class = 0;
  while (size_class + 1 < kSizes.size() && kSizes[size_class] - sizeof(Chunk) < wanted) {
    ++size_class;
  }
  while (size_class > 1 && kSizes[size_class] - sizeof(Chunk) > most) --size_class;
  uint32_t size = kSizes[size_class];
  void* memory = free_[size_class];
  if (memory != nullptr) {
    free_[size_class] = free_[size_class]->next;
    free_bytes_[size_class] -= size;
  } else {
    memory = NewMemory(size);
  }
  AddInUse(size);
  Chunk* chunk = new (memory) Chunk;
  chunk->pool = this;
  chunk->capacity = size - sizeof(Chunk);
  chunk->size_class = size_class;
  return chunk;
}

void ChunkPool::Free(Chunk* chunk) {
  const uint32_t size_class = chunk->size_class;
  const uint32_t size = kSizes[size_class];
  AddInUse(-static_cast<int64_t>(size));
  free_bytes_[size_class] += size;
  chunk->next = free_[size_class];
  free_[size_class] = chunk;
  // Two for one, so that what is kept shrinks with what is in use.
  const size_t keep = std::max(kMinFreeBytes, bytes_in_use() - beside_bytes_);
  for (int i = 0; i < 2 && free_bytes_[size_class] > keep; ++i) {
    if (!DeleteFree(size_class)) break;
  }
}

bool ChunkPool::DeleteFree(uint32_t size_class) {
  Chunk* chunk = free_[size_class];
  Chunk* next = chunk->next;
  if (!DeleteMemory(chunk, kSizes[size_class])) {
    chunk->next = next;
    return false;
  }
  free_[size_class] = next;
  free_bytes_[size_class] -= kSizes[size_class];
  return true;
}

}  // namespace weir
