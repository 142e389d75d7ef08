// Shards fail and come back under a whole proxy: what ejects, what restores, and where the keys go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/integration/redis_server.h"
#include "tests/integration/weir_process.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"

namespace weir {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

// A proxy with the shards a and b, and a client of it.
class Proxy {
 public:
  Proxy(const Address& a, const Address& b, std::string_view more)
      : listen_(StrCat("127.0.0.1:", FreePort())),
        weir_(StrCat("alpha: {listen: ", listen_, ", redis: true, auto_eject_hosts: true, ",
                     "server_retry_timeout: 50, ", more, ", servers: ['", a, ":1 a', '", b,
                     ":1 b']}\n")),
        client_(listen_) {}

  const Address& address() const { return listen_; }
  Reply Ask(const std::vector<std::string_view>& request) {
    const std::vector<Reply> replies = client_.Ask(EncodeRequest(request), 1);
    return replies.empty() ? Reply{.type = 0, .text = "closed"} : replies[0];
  }
  Reply Get(std::string_view key) { return Ask({"GET", key}); }
  bool Set(std::string_view key) { return Ask({"SET", key, "value"}).text == "OK"; }

  // The first of many keys that `accepts`.
  template <typename Accepts>
  std::string FindKey(Accepts accepts) {
    for (int i = 0; i < 1000; ++i) {
      const std::string key = StrCat("key", i);
      if (accepts(key)) return key;
    }
    ADD_FAILURE() << "no such key";
    return "";
  }
  std::string KeyOf(RedisServer& shard) {
    return FindKey([&](const std::string& key) { return Set(key) && shard.Has(key); });
  }
  // Of FakeShards, which answer GET with their index.
  std::string KeyOfFake(std::string_view index) {
    return FindKey([&](const std::string& key) { return Get(key).text == index; });
  }

  bool Logs(std::string_view text) { return weir_.Logs(text); }
  size_t Count(std::string_view text) {
    const std::string log = weir_.Log();
    size_t count = 0;
    for (size_t at = log.find(text); at != log.npos; at = log.find(text, at + 1)) ++count;
    return count;
  }

 private:
  const Address listen_;
  WeirProcess weir_;
  RespClient client_;
};

TEST(HealthTest, AKilledShardIsEjectedServedByTheOtherAndProbedBack) {
  RedisServer a;
  RedisServer b;
  Proxy proxy(a.address(), b.address(), "server_failure_limit: 2");
  const std::string key = proxy.KeyOf(b);
  b.Kill();
  EXPECT_TRUE(Eventually([&] {
    const Reply reply = proxy.Ask({"SET", key, "moved"});
    EXPECT_THAT(reply.text, AnyOf("OK", HasSubstr("shard b")));
    return reply.text == "OK";
  }));
  EXPECT_TRUE(a.Has(key));
  EXPECT_TRUE(proxy.Logs("shard_ejected pool=alpha shard=b failure=connect failures=2"));

  b.Start();
  EXPECT_TRUE(Eventually([&] { return proxy.Set(key) && b.Has(key); }));
  EXPECT_TRUE(proxy.Logs("shard_restored pool=alpha shard=b"));
  EXPECT_EQ(proxy.Count("shard_ejected"), 1u);
}

TEST(HealthTest, ConnectionsThatAHealthyShardClosesEjectNothingAndFailNothing) {
  RedisServer a;
  RedisServer b;
  Proxy proxy(a.address(), b.address(), "server_failure_limit: 1");
  const std::string key = proxy.KeyOf(b);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(b.Ask({"CLIENT", "KILL", "TYPE", "normal"}), "1");
    EXPECT_EQ(proxy.Get(key).text, "value");
  }
  EXPECT_EQ(proxy.Count("shard_ejected"), 0u);
}

TEST(HealthTest, ClientKillUnderLoadEjectsNothing) {
  RedisServer a;
  RedisServer b;
  Proxy proxy(a.address(), b.address(), "server_failure_limit: 1");
  const std::string key = proxy.KeyOf(b);
  std::string pipeline;
  for (int i = 0; i < 50; ++i) pipeline += EncodeRequest({"GET", key});
  RespClient client(proxy.address());
  for (int i = 0; i < 50; ++i) {
    // Somewhere in the middle of the pipeline.
    std::thread killer([&] { b.Ask({"CLIENT", "KILL", "TYPE", "normal"}); });
    const std::vector<Reply> replies = client.Ask(pipeline, 50);
    killer.join();
    ASSERT_EQ(replies.size(), 50u);
    for (const Reply& reply : replies) {
      EXPECT_THAT(reply.text, AnyOf("value", HasSubstr("shard b closed the connection")));
    }
  }
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "value"; }));
  EXPECT_EQ(proxy.Count("shard_ejected"), 0u);
}

TEST(HealthTest, AShardThatStandsStillIsEjectedOnce) {
  RedisServer a;
  RedisServer b;
  Proxy proxy(a.address(), b.address(), "server_failure_limit: 2, timeout: 50");
  const std::string key = proxy.KeyOf(b);
  b.process().Signal(SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return proxy.Set(key); }));
  EXPECT_TRUE(proxy.Logs("failure=silence"));
  EXPECT_TRUE(proxy.Logs("no answer within 50 ms"));
  EXPECT_EQ(proxy.Count("shard_restored"), 0u);
  b.process().Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return proxy.Set(key) && b.Has(key); }));
  EXPECT_EQ(proxy.Count("shard_ejected"), 1u);
}

TEST(HealthTest, AShardThatHangsAndIsNotEjectedIsInTheLog) {
  RedisServer a;
  RedisServer b;
  Proxy proxy(a.address(), b.address(),
              "server_failure_limit: 1, timeout: 50, max_ejected_percent: 0");
  const std::string key = proxy.KeyOf(b);
  b.process().Signal(SIGSTOP);
  EXPECT_THAT(proxy.Get(key).text, HasSubstr("did not answer in time"));
  EXPECT_TRUE(proxy.Logs("shard_failing pool=alpha shard=b failure=silence failures=1"));
  b.process().Signal(SIGCONT);
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "value"; }));
  EXPECT_TRUE(proxy.Logs("shard_serves_again pool=alpha shard=b"));
  EXPECT_EQ(proxy.Count("shard_ejected"), 0u);
}

TEST(HealthTest, AShardWithoutAPasswordServesThoughOneIsGiven) {
  RedisServer a;
  RedisServer b;
  Proxy proxy(a.address(), b.address(), "redis_auth: secret");
  EXPECT_EQ(proxy.Ask({"AUTH", "secret"}).text, "OK");
  EXPECT_TRUE(proxy.Set("key"));
  EXPECT_TRUE(proxy.Logs("shard_has_no_password pool=alpha"));
}

TEST(HealthTest, TheLastShardIsNeverEjectedAndFailsItsRequestsAtOnce) {
  FakeShards shards(2);
  Proxy proxy(shards.address(0), shards.address(1), "server_failure_limit: 1");
  const std::string key = proxy.KeyOfFake("1");
  shards.Stop(0);
  shards.Stop(1);
  EXPECT_TRUE(Eventually([&] {
    proxy.Get(key);
    proxy.Get(proxy.FindKey([](const std::string&) { return true; }));
    return proxy.Count("shard_ejected") == 1;
  }));
  for (int i = 0; i < 10; ++i) EXPECT_THAT(proxy.Get(key).text, HasSubstr("cannot be reached"));
  EXPECT_EQ(proxy.Count("shard_ejected"), 1u);
  shards.Start(0);
  shards.Start(1);
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "1"; }));
}

TEST(HealthTest, AShardThatIsLoadingIsNotRestored) {
  FakeShards shards(2);
  Proxy proxy(shards.address(0), shards.address(1), "server_failure_limit: 1");
  const std::string key = proxy.KeyOfFake("1");
  shards.SetPingAnswer(1, "-LOADING Redis is loading the dataset in memory\r\n");
  shards.Stop(1);
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "0"; }));
  shards.Start(1);
  EXPECT_TRUE(proxy.Logs("LOADING"));
  EXPECT_EQ(proxy.Get(key).text, "0");
  EXPECT_EQ(proxy.Count("shard_restored"), 0u);
  shards.SetPingAnswer(1, "+PONG\r\n");
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "1"; }));
}

TEST(HealthTest, APoolThatFailsFastMovesNoKeys) {
  FakeShards shards(2);
  Proxy proxy(shards.address(0), shards.address(1),
              "server_failure_limit: 1, missing_shard: fail_fast");
  const std::string key = proxy.KeyOfFake("1");
  const std::string other = proxy.KeyOfFake("0");
  shards.Stop(1);
  EXPECT_TRUE(Eventually([&] {
    const Reply reply = proxy.Get(key);
    EXPECT_TRUE(reply.is_error());
    EXPECT_THAT(reply.text, HasSubstr("shard b"));
    return reply.text.find("ejected") != std::string::npos;
  }));
  EXPECT_EQ(proxy.Get(other).text, "0");
  shards.Start(1);
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "1"; }));
}

TEST(HealthTest, ShardsMayBeNamed) {
  FakeShards shards(2);
  const auto named = [&](size_t shard) {
    return "localhost" + shards.address(shard).substr(shards.address(shard).find(':'));
  };
  Proxy proxy(named(0), named(1), "server_failure_limit: 1");
  const std::string key = proxy.KeyOfFake("1");
  // The first request waits for the name server instead of failing.
  EXPECT_EQ(proxy.Get("key0").is_error(), false);
  shards.Stop(1);
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "0"; }));
  shards.Start(1);
  EXPECT_TRUE(Eventually([&] { return proxy.Get(key).text == "1"; }));
}

}  // namespace
}  // namespace weir
