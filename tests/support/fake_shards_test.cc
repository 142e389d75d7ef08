#include "tests/support/fake_shards.h"

#include <gtest/gtest.h>

#include "tests/support/resp_client.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

TEST(FakeShardsTest, EachShardAnswersGetWithItsIndex) {
  TempDirectory directory;
  FakeShards tcp(3);
  FakeShards on_unix(3, directory.path());
  for (size_t shard = 0; shard < 3; ++shard) {
    for (FakeShards* shards : {&tcp, &on_unix}) {
      RespClient client(shards->address(shard));
      EXPECT_EQ(client.Get("key")->text, std::to_string(shard));
      EXPECT_EQ(client.Get(std::string(100000, 'x') + "\r\n")->text, std::to_string(shard));
      EXPECT_EQ(client.Ask(EncodeRequest({"PING"}), 1)[0].text, "PONG");
      EXPECT_TRUE(client.Ask(EncodeRequest({"SET", "a", "b"}), 1)[0].is_error());
    }
  }
}

TEST(FakeShardsTest, AnswersAPipelineInOneGo) {
  FakeShards shards(1);
  RespClient client(shards.address(0));
  std::string requests;
  for (int i = 0; i < 5000; ++i) requests += EncodeRequest({"GET", std::to_string(i)});
  EXPECT_EQ(client.Ask(requests, 5000).size(), 5000u);
}

TEST(FakeShardsTest, AStoppedShardHangsUpAndRefuses) {
  FakeShards shards(2);
  RespClient client(shards.address(0));
  RespClient other(shards.address(1));
  ASSERT_EQ(client.Get("key")->text, "0");
  shards.Stop(0);
  EXPECT_EQ(client.Get("key"), std::nullopt);
  EXPECT_FALSE(Connect(shards.address(0)));
  EXPECT_EQ(other.Get("key")->text, "1");
}

TEST(FakeShardsTest, AShardThatIsStartedAgainServesAtItsAddress) {
  TempDirectory directory;
  FakeShards tcp(1);
  FakeShards on_unix(1, directory.path());
  for (FakeShards* shards : {&tcp, &on_unix}) {
    for (int round = 0; round < 2; ++round) {
      shards->Stop(0);
      EXPECT_FALSE(Connect(shards->address(0)));
      shards->Start(0);
      EXPECT_EQ(RespClient(shards->address(0)).Get("key")->text, "0");
    }
  }
}

}  // namespace
}  // namespace weir
