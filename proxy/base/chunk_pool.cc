#include "proxy/base/chunk_pool.h"

#include <cstdlib>
#include <new>

#include "proxy/base/check.h"

namespace weir {

ChunkPool::~ChunkPool() {
  CHECK_EQ(bytes_in_use(), 0u);
  for (Chunk* chunk : free_) {
    while (chunk != nullptr) {
      Chunk* next = chunk->next;
      std::free(chunk);
      chunk = next;
    }
  }
}

Chunk* ChunkPool::Allocate(size_t wanted) {
  uint32_t size_class = 0;
  while (size_class + 1 < kSizes.size() && kSizes[size_class] - sizeof(Chunk) < wanted) {
    ++size_class;
  }
  uint32_t size = kSizes[size_class];
  void* memory = free_[size_class];
  if (memory != nullptr) {
    free_[size_class] = free_[size_class]->next;
    free_bytes_[size_class] -= size;
  } else {
    memory = std::malloc(size);
    CHECK(memory != nullptr);
  }
  AddInUse(size);
  Chunk* chunk = new (memory) Chunk;
  chunk->pool = this;
  chunk->capacity = size - sizeof(Chunk);
  chunk->size_class = size_class;
  return chunk;
}

void ChunkPool::Free(Chunk* chunk) {
  uint32_t size = kSizes[chunk->size_class];
  AddInUse(-static_cast<int64_t>(size));
  if (free_bytes_[chunk->size_class] + size > kMaxFreeBytes) {
    std::free(chunk);
    return;
  }
  free_bytes_[chunk->size_class] += size;
  chunk->next = free_[chunk->size_class];
  free_[chunk->size_class] = chunk;
}

}  // namespace weir
