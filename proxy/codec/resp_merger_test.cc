#include "proxy/codec/resp_merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/byte_queue.h"

namespace weir {
namespace {

using testing::StartsWith;

std::string Merged(enum Merge merge, const std::vector<std::string_view>& replies,
                   const std::vector<uint32_t>& part_of_value = {}, bool partial = false) {
  ChunkPool chunks;
  ByteQueue out;
  RespMerger().Merge({merge, replies, part_of_value, partial}, chunks, &out);
  std::string scratch;
  return std::string(out.Flatten(&scratch));
}

TEST(RespMergerTest, PutsElementsBackInTheOrderOfTheKeys) {
  EXPECT_EQ(Merged(Merge::kConcat, {"*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n*1\r\n:7\r\n"}, {0, 1, 0}),
            "*3\r\n$1\r\na\r\n*1\r\n:7\r\n$-1\r\n");
}

TEST(RespMergerTest, AddsNumbersUp) {
  EXPECT_EQ(Merged(Merge::kSum, {":1\r\n", ":0\r\n", ":41\r\n"}), ":42\r\n");
}

TEST(RespMergerTest, IsOkWhenAllAre) {
  EXPECT_EQ(Merged(Merge::kAllOk, {"+OK\r\n", "+OK\r\n"}), "+OK\r\n");
}

TEST(RespMergerTest, TheFirstErrorIsTheReply) {
  EXPECT_EQ(Merged(Merge::kSum, {":1\r\n", "-OOM no\r\n", "-ERR other\r\n"}), "-OOM no\r\n");
  EXPECT_EQ(Merged(Merge::kConcat, {"*1\r\n:1\r\n", "!5\r\nERR x\r\n"}, {0, 1}), "!5\r\nERR x\r\n");
}

TEST(RespMergerTest, PartialElementsTakeAnErrorForEachMissingValue) {
  EXPECT_EQ(Merged(Merge::kConcat, {"-ERR a\r\n", "*1\r\n:7\r\n"}, {0, 1, 0}, /*partial=*/true),
            "*3\r\n-ERR a\r\n:7\r\n-ERR a\r\n");
  EXPECT_EQ(Merged(Merge::kSum, {"-ERR a\r\n", ":1\r\n"}, {}, /*partial=*/true), "-ERR a\r\n");
}

TEST(RespMergerTest, AReplyOfAnotherKindMakesTheWholeAnError) {
  for (std::string_view reply : {"+OK\r\n", "$1\r\nx\r\n", "*0\r\n", "_\r\n", "#t\r\n"}) {
    EXPECT_THAT(Merged(Merge::kSum, {":1\r\n", reply}), StartsWith("-ERR a shard"));
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

TEST(RespMergerTest, ASumThatNoNumberHoldsIsAnError) {
  EXPECT_THAT(Merged(Merge::kSum, {":9223372036854775807\r\n", ":1\r\n"}),
              StartsWith("-ERR a shard"));
}

TEST(RespMergerTest, AttributesOfAReplyAreDropped) {
  EXPECT_EQ(Merged(Merge::kSum, {"|1\r\n+ttl\r\n:9\r\n:1\r\n", ":2\r\n"}), ":3\r\n");
}

TEST(RespMergerTest, RemembersNothingOfTheRepliesBefore) {
  ChunkPool chunks;
  RespMerger merger;
  ByteQueue out;
  const std::vector<std::string_view> error = {"-ERR a\r\n"};
  const std::vector<std::string_view> sum = {":1\r\n", ":2\r\n"};
  merger.Merge({.merge = Merge::kSum, .replies = error}, chunks, &out);
  out.Clear();
  merger.Merge({.merge = Merge::kSum, .replies = sum}, chunks, &out);
  EXPECT_EQ(out.front(), ":3\r\n");
}

}  // namespace
}  // namespace weir
