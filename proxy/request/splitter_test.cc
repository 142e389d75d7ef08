#include "proxy/request/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/config/snapshot_builder.h"
#include "tests/support/resp.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::Pair;

using Args = std::vector<std::string_view>;

// Three shards; the first letter of a key says which.
PoolSnapshotPtr LetterPool() {
  auto pool = std::make_shared<PoolSnapshot>();
  pool->config.distribution = Distribution::kModula;
  for (std::string name : {"a", "b", "c"}) {
    pool->config.servers.push_back({.name = name, .endpoint = {}, .weight = 1, .ring_name = name});
  }
  pool->key_hash = [](std::string_view key) { return static_cast<uint32_t>(key[0] - 'a'); };
  pool->ring = BuildPoolRing(pool->config, {true, true, true});
  return pool;
}

class SplitterTest : public testing::Test {
 protected:
  // What goes where: (shard, the arguments as words).
  std::vector<std::pair<uint32_t, std::string>> SplitUp(const Args& args) {
    const CommandSpec& spec = *RedisCommands().Find(args[0]);
    KeyPositions keys;
    EXPECT_TRUE(FindKeys(spec, args, &keys).ok());
    const size_t fragments = splitter_.Assign(args, keys, selector_);
    split_ = Split();
    splitter_.Encode<RespRequestEncoder>(spec, args, keys, chunks_, &split_, &frames_);
    EXPECT_EQ(split_.fragments.size(), fragments);
    EXPECT_EQ(split_.remaining, fragments);
    std::vector<std::pair<uint32_t, std::string>> result;
    for (size_t i = 0; i < fragments; ++i) {
      std::string scratch;
      const std::string_view frame = frames_[i].Flatten(&scratch);
      Args parts;
      EXPECT_EQ(TakeRequest(frame, parts), frame.size()) << frame;
      std::string words;
      for (std::string_view part : parts) words += (words.empty() ? "" : " ") + std::string(part);
      result.emplace_back(split_.fragments[i].shard, words);
    }
    return result;
  }

  ChunkPool chunks_;
  ShardSelector selector_{LetterPool(), 1};
  Splitter splitter_;
  std::vector<ByteQueue> frames_;
  Split split_;
};

TEST_F(SplitterTest, EachShardGetsItsKeysInTheirOrder) {
  EXPECT_THAT(SplitUp({"MGET", "b1", "a1", "b2", "c1", "a2"}),
              ElementsAre(Pair(1, "MGET b1 b2"), Pair(0, "MGET a1 a2"), Pair(2, "MGET c1")));
  EXPECT_THAT(split_.fragment_of_key, ElementsAre(0, 1, 0, 2, 1));
  EXPECT_EQ(split_.merge, Merge::kConcat);
}

TEST_F(SplitterTest, ValuesGoWithTheirKeys) {
  EXPECT_THAT(SplitUp({"MSET", "a1", "1", "b1", "2", "a2", "3"}),
              ElementsAre(Pair(0, "MSET a1 1 a2 3"), Pair(1, "MSET b1 2")));
  EXPECT_THAT(SplitUp({"MSET", "c1", "only"}), ElementsAre(Pair(2, "MSET c1 only")));
}

TEST_F(SplitterTest, AKeyThatIsNamedTwiceIsSentTwice) {
  EXPECT_THAT(SplitUp({"DEL", "a1", "b1", "a1"}),
              ElementsAre(Pair(0, "DEL a1 a1"), Pair(1, "DEL b1")));
  EXPECT_THAT(SplitUp({"EXISTS", "a1", "a1"}), ElementsAre(Pair(0, "EXISTS a1 a1")));
}

TEST_F(SplitterTest, RemembersNothingOfTheRequestBefore) {
  SplitUp({"MGET", "a1", "b1", "c1"});
  EXPECT_THAT(SplitUp({"MGET", "c1", "c2"}), ElementsAre(Pair(2, "MGET c1 c2")));
  EXPECT_EQ(splitter_.first_stray(), 0u);
  EXPECT_THAT(SplitUp({"MGET", "b9"}), ElementsAre(Pair(1, "MGET b9")));
}

TEST_F(SplitterTest, NamesTheFirstKeyThatIsElsewhere) {
  const Args args = {"MSET", "a1", "x", "a2", "x", "b1", "x", "c1", "x"};
  SplitUp(args);
  EXPECT_EQ(splitter_.first_stray(), 2u);
  EXPECT_EQ(splitter_.shard_of(0), 0u);
  EXPECT_EQ(splitter_.shard_of(3), 2u);
}

}  // namespace
}  // namespace weir
