#include "proxy/request/merger.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/base/strings.h"
#include "proxy/codec/reply_parts.h"
#include "proxy/codec/resp_merger.h"

namespace weir {
namespace {

class MergerTest : public testing::Test {
 protected:
  // What the protocol's merger makes of replies, each of which arrived in chunks of its own.
  std::string Merged(enum Merge merge, const std::vector<std::string>& replies,
                     const std::vector<uint32_t>& fragment_of_key = {},
                     bool errors_as_values = false) {
    Split split;
    split.merge = merge;
    split.fragments.resize(replies.size());
    split.fragment_of_key = fragment_of_key;
    for (size_t i = 0; i < replies.size(); ++i) {
      split.fragments[i].reply.Append(chunks_, replies[i]);
    }
    ByteQueue out;
    merger_.Merge(split, errors_as_values, resp_, chunks_, &out);
    std::string scratch;
    return std::string(out.Flatten(&scratch));
  }

  ChunkPool chunks_;
  RespMerger resp_;
  Merger merger_;
};

TEST_F(MergerTest, GivesTheProtocolEachFragmentsReplyAndWhoseValuesTheyAre) {
  EXPECT_EQ(Merged(Merge::kConcat, {"*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n*1\r\n:7\r\n"}, {0, 1, 0}),
            "*3\r\n$1\r\na\r\n*1\r\n:7\r\n$-1\r\n");
  EXPECT_EQ(Merged(Merge::kSum, {":1\r\n", ":0\r\n", ":41\r\n"}), ":42\r\n");
}

TEST_F(MergerTest, SaysWhetherErrorsTakeThePlaceOfValues) {
  const std::vector<std::string> replies = {"-ERR a\r\n", "*1\r\n:7\r\n"};
  EXPECT_EQ(Merged(Merge::kConcat, replies, {0, 1}), "-ERR a\r\n");
  EXPECT_EQ(Merged(Merge::kConcat, replies, {0, 1}, /*errors_as_values=*/true),
            "*2\r\n-ERR a\r\n:7\r\n");
}

TEST_F(MergerTest, RepliesOfManyChunksAreGathered) {
  const std::string large(300'000, 'x');
  const std::string element = StrCat("$", large.size(), "\r\n", large, "\r\n");
  const std::string merged =
      Merged(Merge::kConcat, {StrCat("*1\r\n", element), "*1\r\n:1\r\n"}, {1, 0});
  EXPECT_EQ(merged, StrCat("*2\r\n:1\r\n", element));
  // And the next, small one is not disturbed by it.
  EXPECT_EQ(Merged(Merge::kSum, {":1\r\n", ":2\r\n"}), ":3\r\n");
  EXPECT_EQ(chunks_.bytes_in_use(), 0u);
}

// Notes what is in use while replies are merged.
struct MeasuringMerger {
  void Merge(const ReplyParts& parts, ChunkPool& chunks, ByteQueue* out) {
    in_use = chunks.bytes_in_use();
  }
  size_t in_use = 0;
};

TEST_F(MergerTest, WhatIsBeingMergedIsHeldOnceAndCounts) {
  constexpr size_t kLarge = 3'000'000;
  Split split;
  split.fragments.resize(2);
  split.fragments[0].reply.Append(chunks_, std::string(kLarge, 'x'));
  split.fragments[1].reply.Append(chunks_, ":1\r\n");
  MeasuringMerger measuring;
  ByteQueue out;
  merger_.Merge(split, /*errors_as_values=*/false, measuring, chunks_, &out);
  EXPECT_GE(measuring.in_use, kLarge);
  EXPECT_LT(measuring.in_use, kLarge + ChunkPool::kSizes.front() + 1);
  EXPECT_TRUE(split.fragments[0].reply.empty());
  EXPECT_FALSE(split.fragments[1].reply.empty());
  split.fragments.clear();
  EXPECT_EQ(chunks_.bytes_in_use(), 0u);
}

}  // namespace
}  // namespace weir
