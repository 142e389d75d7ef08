#include "proxy/health/prober.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/endpoint.h"
#include "proxy/base/strings.h"
#include "tests/support/fake_shards.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/sanitizers.h"

namespace weir {
namespace {

constexpr Duration kAmple = std::chrono::seconds(20);

ResolvedAddress AddressOf(const FakeShards& shards, size_t shard) {
  return *LiteralAddress(*ParseEndpoint(shards.address(shard)));
}

class ProbeTest : public testing::Test {
 protected:
  // What the probe says: "OK", or its error.
  std::string Ask(ProbeTarget target) {
    std::optional<std::string> result;
    int calls = 0;
    {
      Probe probe(*loop_, chunks_, std::move(target), [&](const absl::Status& status) {
        result = status.ok() ? "OK" : std::string(FromAbsl(status.message()));
        ++calls;
      });
      while (!result.has_value()) loop_->RunTurn(EventLoop::kForever);
    }
    loop_->RunTurn(Duration::zero());
    EXPECT_EQ(calls, 1);
    return *result;
  }

  std::string AskShard(size_t shard) {
    return Ask({.addresses = {AddressOf(shards_, shard)}, .timeout = kAmple});
  }

  // What a probe says of a shard whose answer to PING is `answer`.
  std::string AskShardThatAnswers(const std::string& answer) {
    shards_.SetPingAnswer(0, answer);
    return AskShard(0);
  }

  std::unique_ptr<EventLoop> loop_ = CreateEventLoop();
  ChunkPool chunks_;
  FakeShards shards_{2};
};

TEST_F(ProbeTest, SucceedsWhenTheShardAnswersPong) { EXPECT_EQ(AskShard(0), "OK"); }

TEST_F(ProbeTest, LoadingOrAnotherErrorIsNoSuccess) {
  const std::string address = shards_.address(0);
  EXPECT_EQ(AskShardThatAnswers("-LOADING Redis is loading the dataset in memory\r\n"),
            address + ": PING: -LOADING Redis is loading the dataset in memory");
  EXPECT_EQ(AskShardThatAnswers("-NOAUTH Authentication required.\r\n"),
            address + ": PING: -NOAUTH Authentication required.");
  EXPECT_EQ(AskShardThatAnswers("+PONGO\r\n"), address + ": PING: +PONGO");
  EXPECT_EQ(AskShardThatAnswers("+PONG\r\n+PONG\r\n"), address + ": PING: +PONG");
  EXPECT_EQ(AskShardThatAnswers(std::string(100000, 'x')),
            address + ": PING: " + std::string(512, 'x'));
}

TEST_F(ProbeTest, AFailedIntroductionIsNoSuccessAndKeepsThePasswordSecret) {
  const std::string error =
      Ask({.addresses = {AddressOf(shards_, 0)}, .login = {.auth = "secret"}, .timeout = kAmple});
  EXPECT_NE(error.find("AUTH: ERR a fake shard"), std::string::npos) << error;
  EXPECT_EQ(error.find("secret"), std::string::npos) << error;
}

TEST_F(ProbeTest, AShardThatRefusesConnectionsIsNoSuccess) {
  shards_.Stop(0);
  EXPECT_EQ(AskShard(0), shards_.address(0) + ": Connection refused");
  shards_.Start(0);
  EXPECT_EQ(AskShard(0), "OK");
}

TEST_F(ProbeTest, AShardThatSaysNothingFailsAfterTheTimeout) {
  shards_.SetPingAnswer(0, "");
  EXPECT_EQ(Ask({.addresses = {AddressOf(shards_, 0)}, .timeout = std::chrono::milliseconds(20)}),
            shards_.address(0) + ": no answer within 20 ms");
}

TEST_F(ProbeTest, TriesAllAddressesInTurn) {
  shards_.Stop(0);
  EXPECT_EQ(Ask({.addresses = {AddressOf(shards_, 0), AddressOf(shards_, 1)}, .timeout = kAmple}),
            "OK");
}

TEST_F(ProbeTest, FailsWithoutAnAddress) { EXPECT_EQ(Ask({}), "its name has no address"); }

TEST_F(ProbeTest, KnowsNothingOfAShardForWhichTheProxyHasNoSocketLeft) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers need descriptors themselves";
  NoDescriptors none;
  std::optional<absl::Status> result;
  Probe probe(*loop_, chunks_, {.addresses = {AddressOf(shards_, 0)}, .timeout = kAmple},
              [&](const absl::Status& status) { result = status; });
  while (!result.has_value()) loop_->RunTurn(EventLoop::kForever);
  EXPECT_TRUE(absl::IsResourceExhausted(*result)) << *result;
}

TEST_F(ProbeTest, DestroyedBeforeTheAnswerNeverCallsBack) {
  {
    Probe probe(*loop_, chunks_, {.addresses = {AddressOf(shards_, 0)}, .timeout = kAmple},
                [](const absl::Status&) { FAIL() << "called"; });
    loop_->RunTurn(EventLoop::kForever);  // the timer that starts it
  }
  EXPECT_EQ(AskShard(1), "OK");
}

}  // namespace
}  // namespace weir
