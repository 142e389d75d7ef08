// Requests at their limits: whatever the pieces in which they arrive, they meet the same end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

std::string Letters(size_t count) { return std::string(count, 'a'); }

void SmallLimits(PoolConfig& pool) {
  pool.large_request = 1024;
  pool.max_request = 2048;
}

// What a client gets for `request` in pieces of so many bytes: replies, whether the session ends,
// and the names of the commands that shard a gets.
using Outcome = std::tuple<std::vector<std::string>, bool, std::vector<std::string>>;

Outcome Ask(const std::function<void(PoolConfig&)>& configure, std::string_view request,
            size_t piece) {
  SessionHarness h(configure);
  for (const char* shard : {"a", "b"}) {
    h.shard(shard).Answers([](const auto& args) -> std::string {
      return args[0] == "MULTI" || args[0] == "MSET" || args[0] == "SET" ? "+OK\r\n" : ":1\r\n";
    });
  }
  for (size_t at = 0; at < request.size() && !h.client().disconnected(); at += piece) {
    h.client().SendsBytes(request.substr(at, piece));
  }
  std::vector<std::string> names;
  for (const std::string& words : h.shard("a").Received()) {
    names.push_back(words.substr(0, words.find(' ')));
  }
  return {h.client().Received(), h.client().disconnected(), names};
}

std::string ManyArguments(size_t bytes) {
  std::string words = "MSET a1 1";
  while (FakeClient::Encode(words).size() + 20 < bytes) words += " b1 2";
  return FakeClient::Encode(words);
}

TEST(RedisLargeRequestsTest, ARequestGetsTheSameAnswerWholeAndByteByByte) {
  const std::string requests[] = {
      FakeClient::Encode(StrCat("SET a1 ", Letters(3000))),
      FakeClient::Encode(StrCat("SET ", Letters(3000), " v")),
      FakeClient::Encode(StrCat("APPEND ", Letters(2024), " v")),  // its key just ends too late
      FakeClient::Encode(StrCat("APPEND ", Letters(2023), " ", Letters(99))),
      FakeClient::Encode(StrCat("SET ", Letters(3000))),
      FakeClient::Encode(StrCat("MSET a1 ", Letters(2017))),  // 2048 bytes
      FakeClient::Encode(StrCat("MSET a1 ", Letters(2018))),  // one more
      FakeClient::Encode(StrCat("MSET a1 1 b1 ", Letters(3000))),
      ManyArguments(2040),
      ManyArguments(2100),
      FakeClient::Encode(StrCat("NOSUCH ", Letters(3000))),
      FakeClient::Encode(StrCat(Letters(3000), " x")),
      FakeClient::Encode(StrCat("ECHO ", Letters(1000))),
      FakeClient::Encode(StrCat("ECHO ", Letters(3000))),
      FakeClient::Encode(StrCat("EVAL ", Letters(3000), " 1 a1")),
      FakeClient::Encode("MULTI") + FakeClient::Encode(StrCat("SET a1 ", Letters(3000))),
      StrCat("GET ", Letters(1500), "\r\n"),
      StrCat("GET ", Letters(3000), "\r\n"),
  };
  for (const std::string& request : requests) {
    const Outcome whole = Ask(SmallLimits, request, request.size());
    EXPECT_EQ(Ask(SmallLimits, request, 1), whole) << request.substr(0, 40);
    EXPECT_EQ(Ask(SmallLimits, request, 1000), whole) << request.substr(0, 40);
  }
}

TEST(RedisLargeRequestsTest, MaxRequestHoldsForARequestThatArrivesInOneRead) {
  SessionHarness h(SmallLimits);
  h.client().Sends(StrCat("MSET a1 ", Letters(2017)));
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  h.client().Sends(StrCat("MSET a1 ", Letters(2018)));
  EXPECT_THAT(h.client().Received(),
              ElementsAre("-ERR the request is larger than the pool's max_request"));
  EXPECT_TRUE(h.client().disconnected());
}

TEST(RedisLargeRequestsTest, BeforeThePasswordTheSameRequestsAreTooLargeWholeAndInPieces) {
  const auto locked = [](PoolConfig& pool) { pool.redis_auth = "secret"; };
  const auto locked_and_small = [](PoolConfig& pool) {
    pool.redis_auth = "secret";
    SmallLimits(pool);
  };
  const std::string requests[] = {
      FakeClient::Encode(StrCat("AUTH ", Letters(17'000))),
      FakeClient::Encode(StrCat("NOSUCH ", Letters(17'000))),
      FakeClient::Encode("AUTH secret") + FakeClient::Encode(StrCat("SET a1 ", Letters(17'000))),
      ManyArguments(17'000),
  };
  for (const std::string& request : requests) {
    EXPECT_EQ(Ask(locked, request, 50), Ask(locked, request, request.size()));
    EXPECT_EQ(Ask(locked_and_small, request, 50), Ask(locked_and_small, request, request.size()));
  }
  EXPECT_THAT(std::get<0>(Ask(locked, requests[0], requests[0].size())),
              ElementsAre(StartsWith("-NOAUTH")));
}

TEST(RedisLargeRequestsTest, ALargeSetThatBeganBeforeThePasswordWasTakenAwayStreams) {
  SessionHarness h([](PoolConfig& pool) {
    pool.redis_auth = "secret";
    SmallLimits(pool);
  });
  h.shard("a").Answers([](const auto&) -> std::string { return "+OK\r\n"; });
  const std::string set = FakeClient::Encode(StrCat("SET ", Letters(1500), " ", Letters(3000)));
  const size_t value = set.find("$3000");
  h.client().SendsBytes(std::string_view(set).substr(0, value));
  auto open = std::make_shared<PoolSnapshot>(*h.context().pool);
  open->config.redis_auth.clear();
  h.context().pool = open;
  h.context().handler.Update(open);
  h.client().SendsBytes(std::string_view(set).substr(value, 100));
  h.client().SendsBytes(std::string_view(set).substr(value + 100));
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
}

// It was gathered, and refused beyond max_request, because the one before had to be.
TEST(RedisLargeRequestsTest, ALargeSetStreamsAlsoAfterARequestThatHadToBeGathered) {
  SessionHarness h(SmallLimits);
  std::string mset = "*11\r\n$4\r\nMSET\r\n";
  for (int i = 0; i < 4; ++i) mset += "$2\r\na1\r\n$1\r\nv\r\n";
  h.client().SendsBytes(mset + "$2\r\na2\r\n$1500\r\n");
  h.client().SendsBytes(Letters(1500) + "\r\n");
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
  h.client().SendsBytes("*3\r\n$3\r\nSET\r\n");
  h.client().SendsBytes("$2\r\na1\r\n$5000\r\n");
  h.client().SendsBytes(StrCat(Letters(5000), "\r\n"));
  h.shard("a").Sends("+OK\r\n");
  EXPECT_THAT(h.client().Received(), ElementsAre("OK"));
}

}  // namespace
}  // namespace weir
