#include "proxy/request/merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::StartsWith;

class MergerTest : public testing::Test {
 protected:
  // Merges replies, each of which arrived in chunks of its own pieces.
  std::string Merged(enum Merge merge, const std::vector<std::string>& replies,
                     const std::vector<uint32_t>& fragment_of_key = {}, bool partial = false) {
    Split split;
    split.merge = merge;
    split.fragments.resize(replies.size());
    split.fragment_of_key = fragment_of_key;
    for (size_t i = 0; i < replies.size(); ++i) {
      split.fragments[i].reply.Append(chunks_, replies[i]);
    }
    ByteQueue out;
    merger_.Merge(split, partial, chunks_, &out);
    std::string scratch;
    return std::string(out.Flatten(&scratch));
  }

  ChunkPool chunks_;
  Merger merger_;
};

TEST_F(MergerTest, PutsElementsBackInTheOrderOfTheKeys) {
  EXPECT_EQ(Merged(Merge::kConcat, {"*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n*1\r\n:7\r\n"}, {0, 1, 0}),
            "*3\r\n$1\r\na\r\n*1\r\n:7\r\n$-1\r\n");
}

TEST_F(MergerTest, AddsNumbersUp) {
  EXPECT_EQ(Merged(Merge::kSum, {":1\r\n", ":0\r\n", ":41\r\n"}), ":42\r\n");
}

TEST_F(MergerTest, IsOkWhenAllAre) {
  EXPECT_EQ(Merged(Merge::kAllOk, {"+OK\r\n", "+OK\r\n"}), "+OK\r\n");
}

TEST_F(MergerTest, TheFirstErrorIsTheReply) {
  EXPECT_EQ(Merged(Merge::kSum, {":1\r\n", "-OOM no\r\n", "-ERR other\r\n"}), "-OOM no\r\n");
  EXPECT_EQ(Merged(Merge::kConcat, {"*1\r\n:1\r\n", "!5\r\nERR x\r\n"}, {0, 1}), "!5\r\nERR x\r\n");
}

TEST_F(MergerTest, PartialElementsTakeAnErrorForEachMissingValue) {
  EXPECT_EQ(Merged(Merge::kConcat, {"-ERR a\r\n", "*1\r\n:7\r\n"}, {0, 1, 0}, /*partial=*/true),
            "*3\r\n-ERR a\r\n:7\r\n-ERR a\r\n");
  EXPECT_EQ(Merged(Merge::kSum, {"-ERR a\r\n", ":1\r\n"}, {}, /*partial=*/true), "-ERR a\r\n");
}

TEST_F(MergerTest, AReplyOfAnotherKindMakesTheWholeAnError) {
  for (std::string_view reply : {"+OK\r\n", "$1\r\nx\r\n", "*0\r\n", "_\r\n", "#t\r\n"}) {
    EXPECT_THAT(Merged(Merge::kSum, {":1\r\n", std::string(reply)}), StartsWith("-ERR a shard"));
  }
  EXPECT_THAT(Merged(Merge::kAllOk, {"+OK\r\n", "+QUEUED\r\n"}), StartsWith("-ERR a shard"));
  // One element too few, one too many.
  EXPECT_THAT(Merged(Merge::kConcat, {"*1\r\n:1\r\n", "*1\r\n:1\r\n"}, {0, 1, 0}),
              StartsWith("-ERR a shard"));
  EXPECT_THAT(Merged(Merge::kConcat, {"*2\r\n:1\r\n:2\r\n", "*1\r\n:1\r\n"}, {0, 1}),
              StartsWith("-ERR a shard"));
  EXPECT_THAT(Merged(Merge::kConcat, {"*-1\r\n", "*1\r\n:1\r\n"}, {0, 1}),
              StartsWith("-ERR a shard"));
}

TEST_F(MergerTest, ASumThatNoNumberHoldsIsAnError) {
  EXPECT_THAT(Merged(Merge::kSum, {":9223372036854775807\r\n", ":1\r\n"}),
              StartsWith("-ERR a shard"));
}

TEST_F(MergerTest, AttributesOfAReplyAreDropped) {
  EXPECT_EQ(Merged(Merge::kSum, {"|1\r\n+ttl\r\n:9\r\n:1\r\n", ":2\r\n"}), ":3\r\n");
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

}  // namespace
}  // namespace weir
