#include "proxy/request/request.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(RequestPoolTest, ARequestLivesUntilItsLastHolderLetsGo) {
  RequestPool pool;
  Request* request = pool.New(nullptr, Moment());
  pool.Hold(request);
  pool.Hold(request);
  pool.Release(request);
  pool.Release(request);
  EXPECT_EQ(pool.in_use(), 1u);
  pool.Release(request);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(RequestPoolTest, ANewRequestRemembersNothingOfTheOneBefore) {
  RequestPool pool;
  ChunkPool chunks;
  Request* request = pool.New(nullptr, Moment());
  request->silent = request->done = true;
  request->fragment.passed_on = true;
  request->fragment.replies_to_skip = 3;
  request->fragment.reply.Append(chunks, "left over");
  pool.Release(request);
  EXPECT_EQ(chunks.bytes_in_use(), 0u);
  Request* next = pool.New(nullptr, Moment());
  EXPECT_EQ(next, request) << "the node is used again";
  EXPECT_FALSE(next->silent || next->done);
  EXPECT_FALSE(next->fragment.passed_on);
  EXPECT_EQ(next->fragment.replies_to_skip, 0u);
  EXPECT_EQ(next->fragment.request, next);
  EXPECT_TRUE(next->fragment.reply.empty());
  pool.Release(next);
}

TEST(RequestPoolTest, AUsedSplitComesBackEmptyWithItsMemory) {
  RequestPool pool;
  ChunkPool chunks;
  Request* request = pool.New(nullptr, Moment());
  Split* split = &pool.AddSplit(request);
  split->fragments.resize(3);
  split->fragments[1].reply.Append(chunks, "unread");
  split->fragment_of_key.assign(100, 2);
  split->merge = Merge::kSum;
  split->remaining = 3;
  pool.Release(request);
  EXPECT_EQ(chunks.bytes_in_use(), 0u);
  request = pool.New(nullptr, Moment());
  EXPECT_EQ(&pool.AddSplit(request), split);
  EXPECT_TRUE(split->fragments.empty() && split->fragment_of_key.empty());
  EXPECT_GE(split->fragment_of_key.capacity(), 100u);
  EXPECT_EQ(split->merge, Merge::kNone);
  EXPECT_EQ(split->remaining, 0u);
  pool.Release(request);
}

TEST(RequestPoolTest, MemoryOfAHugeSplitIsNotKept) {
  RequestPool pool;
  Request* request = pool.New(nullptr, Moment());
  pool.AddSplit(request).fragment_of_key.resize(1'000'000);
  pool.Release(request);
  request = pool.New(nullptr, Moment());
  EXPECT_LE(pool.AddSplit(request).fragment_of_key.capacity(), 4096u);
  pool.Release(request);
}

}  // namespace
}  // namespace weir
