#include "proxy/base/byte_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace weir {
namespace {

std::string Contents(const ByteQueue& queue) {
  std::string scratch;
  return std::string(queue.Flatten(&scratch));
}

std::string Pattern(size_t size) {
  std::string text(size, ' ');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

class ByteQueueTest : public testing::Test {
 protected:
  ChunkPool pool_;  // its destructor checks that every chunk came back
};

TEST_F(ByteQueueTest, KeepsBytesInOrderOverManyChunks) {
  ByteQueue queue;
  std::string expected;
  for (size_t size : {1, 500, 511, 4096, 70000, 3, 200000}) {
    std::string piece = Pattern(size);
    queue.Append(pool_, piece);
    expected += piece;
  }
  EXPECT_EQ(queue.size(), expected.size());
  EXPECT_EQ(Contents(queue), expected);
  while (!queue.empty()) {
    size_t count = std::min<size_t>(queue.size(), 977);
    queue.Consume(count);
    expected.erase(0, count);
    ASSERT_EQ(Contents(queue), expected);
  }
}

TEST_F(ByteQueueTest, AnEmptyQueueOwnsNoMemory) {
  ByteQueue queue;
  queue.Append(pool_, "bytes");
  EXPECT_GT(pool_.bytes_in_use(), 0u);
  queue.Consume(5);
  EXPECT_EQ(pool_.bytes_in_use(), 0u);
}

// A reply of 4,065 bytes took a chunk of 20 KiB, and a client's waiting replies 2.6 times their
// limit.
TEST_F(ByteQueueTest, TakesAtMostTwiceItsBytesAlsoWhereTheyJustDoNotFitAChunk) {
  const auto memory_for = [](size_t size) { return std::max<size_t>(2 * size + 64, 4096); };
  for (size_t size :
       {1, 481, 4064, 4065, 8128, 8129, 10'000, 10'225, 20'448, 20'449, 65'504, 65'505, 200'000}) {
    ByteQueue queue;
    queue.Append(pool_, Pattern(size));
    EXPECT_LE(pool_.bytes_in_use(), memory_for(size)) << size;
  }
  ByteQueue queue;
  for (size_t size = 100; size <= 300'000; size += 100) {
    queue.Append(pool_, Pattern(100));
    ASSERT_LE(pool_.bytes_in_use(), memory_for(size) + 4096) << size;
  }
}

TEST_F(ByteQueueTest, SplicesSmallAndLargeContents) {
  for (size_t size : {0, 10, 2048, 2049, 100000}) {
    ByteQueue queue;
    ByteQueue other;
    queue.Append(pool_, "head");
    other.Append(pool_, Pattern(size));
    queue.Splice(pool_, std::move(other));
    EXPECT_EQ(Contents(queue), "head" + Pattern(size));
    // A spliced queue is empty, by contract. NOLINTNEXTLINE(bugprone-use-after-move)
    EXPECT_TRUE(other.empty());
    queue.Append(pool_, "tail");
    EXPECT_EQ(Contents(queue), "head" + Pattern(size) + "tail");
  }
}

TEST_F(ByteQueueTest, ErasesAnyRangeOfManyChunks) {
  // Chunks of several sizes; a range may begin and end in any of them, or at their ends.
  constexpr size_t kSizes[] = {400, 3000, 100, 5000};
  for (size_t offset = 0; offset <= 8500; offset += 100) {
    for (size_t count = 0; offset + count <= 8500; count += 100) {
      ByteQueue queue;
      for (size_t size : kSizes) {
        ByteQueue piece;
        piece.Append(pool_, Pattern(size));
        queue.Splice(pool_, std::move(piece));
      }
      std::string expected = Contents(queue);
      expected.erase(offset, count);
      queue.Erase(offset, count);
      queue.Append(pool_, "|");
      ASSERT_EQ(Contents(queue), expected + "|") << offset << " " << count;
      ASSERT_EQ(queue.size(), expected.size() + 1);
    }
  }
}

TEST_F(ByteQueueTest, ErasingLeavesTheChunksBeforeAndBehindInPlace) {
  ByteQueue queue;
  for (int i = 0; i < 20; ++i) queue.Append(pool_, Pattern(65000));
  iovec before[64];
  const size_t used = queue.Gather(before);
  queue.Erase(65000 * 10 + 7, 20);
  iovec after[64];
  ASSERT_EQ(queue.Gather(after), used);
  size_t copied = 0;
  for (size_t i = 0; i < used; ++i) {
    if (after[i].iov_base != before[i].iov_base || after[i].iov_len != before[i].iov_len) ++copied;
  }
  EXPECT_EQ(copied, 1u);
}

TEST_F(ByteQueueTest, GathersAsManyChunksAsThereIsRoomFor) {
  ByteQueue queue;
  for (int i = 0; i < 40; ++i) queue.Append(pool_, Pattern(70000));
  iovec pieces[8];
  ASSERT_EQ(queue.Gather(pieces), 8u);
  EXPECT_EQ(std::string_view(static_cast<char*>(pieces[0].iov_base), pieces[0].iov_len),
            queue.front());
}

TEST_F(ByteQueueTest, MemoryOfABurstGoesBackToTheAllocator) {
  {
    ByteQueue queue;
    for (int i = 0; i < 1000; ++i) queue.Append(pool_, Pattern(65000));
    EXPECT_GE(pool_.bytes_in_use(), 65000000u);
  }
  EXPECT_EQ(pool_.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace weir
