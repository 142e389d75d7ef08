// SIGHUP: the configuration changes while clients that never retry go on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/integration/held_shard.h"
#include "tests/integration/weir_process.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"

namespace weir {
namespace {

using testing::HasSubstr;

Address NewAddress() { return StrCat("127.0.0.1:", FreePort()); }

std::string Pool(std::string_view name, const Address& listen, const std::vector<Address>& shards,
                 std::string_view more = "") {
  std::string servers;
  for (size_t i = 0; i < shards.size(); ++i) {
    StrAppend(&servers, i == 0 ? "" : ", ", "'", shards[i], ":1 s", i, "'");
  }
  // md5, because the default hash sends keys that differ at their end only to one shard.
  return StrCat(name, ": {listen: ", listen, ", redis: true, hash: md5, ", more, "servers: [",
                servers, "]}\n");
}

// Clients that ask for keys without pause and know which shards may answer for each.
class Load {
 public:
  static constexpr size_t kClients = 4;
  static constexpr size_t kKeys = 64;
  // `may_answer[key]`: the texts that are right.
  using Answers = std::map<std::string, std::vector<std::string>>;

  Load(const Address& address, Answers may_answer) : may_answer_(std::move(may_answer)) {
    for (size_t i = 0; i < kClients; ++i) {
      threads_.emplace_back([this, address] { Run(address); });
    }
  }
  ~Load() {
    enough_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  // Waits until each client has been through all keys again.
  bool GoesOn() {
    const size_t before = rounds_;
    return Eventually([&] { return rounds_ >= before + 2 * kClients; });
  }
  size_t failures() const { return failures_; }

 private:
  void Run(const Address& address) {
    RespClient client(address);
    std::string requests;
    for (const auto& [key, answers] : may_answer_) requests += EncodeRequest({"GET", key});
    while (!enough_) {
      const std::vector<Reply> replies = client.Ask(requests, may_answer_.size());
      size_t i = 0;
      for (const auto& [key, answers] : may_answer_) {
        const bool right = i < replies.size() && replies[i].type == '$' &&
                           std::count(answers.begin(), answers.end(), replies[i].text) > 0;
        if (!right) ++failures_;
        ++i;
      }
      ++rounds_;
      if (replies.size() < may_answer_.size()) return;  // the connection is gone
    }
  }

  const Answers may_answer_;
  std::atomic<bool> enough_ = false;
  std::atomic<size_t> rounds_ = 0;
  std::atomic<size_t> failures_ = 0;
  std::vector<std::thread> threads_;
};

std::vector<std::string> Keys() {
  std::vector<std::string> keys;
  for (size_t i = 0; i < Load::kKeys; ++i) keys.push_back(StrCat("key:", i));
  return keys;
}

TEST(ReloadTest, AddsAndRemovesPoolsAndMovesAShardWithoutAFailedRequest) {
  FakeShards shards(4);
  const Address alpha = NewAddress();
  const Address beta = NewAddress();
  const Address gamma = NewAddress();
  WeirProcess weir(Pool("alpha", alpha, {shards.address(0), shards.address(1)}) +
                   Pool("beta", beta, {shards.address(3)}));
  Load::Answers answers;
  RespClient probe(alpha);
  for (const std::string& key : Keys()) answers[key] = {probe.Get(key)->text};
  // Shard 1 is about to move to 2.
  for (auto& [key, right] : answers) {
    if (right[0] == "1") right.push_back("2");
  }
  Load load(alpha, answers);
  EXPECT_TRUE(load.GoesOn());
  RespClient of_beta(beta);
  EXPECT_EQ(of_beta.Get("key")->text, "3");

  EXPECT_TRUE(weir.Reload(Pool("alpha", alpha, {shards.address(0), shards.address(2)}) +
                          Pool("gamma", gamma, {shards.address(3)})));
  EXPECT_TRUE(load.GoesOn());
  EXPECT_EQ(RespClient(gamma).Get("key")->text, "3");
  EXPECT_FALSE(Connect(beta));
  // From now on the moved shard alone answers for its keys, on the connections of before.
  for (const auto& [key, right] : answers) EXPECT_EQ(probe.Get(key)->text, right.back()) << key;
  // A session of the removed pool is closed once it is quiet.
  EXPECT_TRUE(of_beta.IsEnded());
  EXPECT_EQ(load.failures(), 0u);
}

TEST(ReloadTest, ChangesTheRingUnderSessions) {
  FakeShards shards(3);
  const Address listen = NewAddress();
  const std::vector<Address> two = {shards.address(0), shards.address(1)};
  const std::vector<Address> three = {shards.address(0), shards.address(1), shards.address(2)};
  WeirProcess weir(Pool("alpha", listen, two));
  RespClient client(listen);
  std::map<std::string, std::string> before;
  for (const std::string& key : Keys()) before[key] = client.Get(key)->text;
  Load::Answers answers;
  for (const auto& [key, shard] : before) answers[key] = {shard, "2"};
  Load load(listen, answers);
  EXPECT_TRUE(load.GoesOn());
  size_t moved = 0;
  for (int round = 0; round < 5; ++round) {
    EXPECT_TRUE(weir.Reload(Pool("alpha", listen, three)));
    EXPECT_TRUE(load.GoesOn());
    moved = 0;
    for (const auto& [key, shard] : before) moved += client.Get(key)->text == "2" ? 1 : 0;
    EXPECT_TRUE(weir.Reload(Pool("alpha", listen, two)));
    for (const auto& [key, shard] : before) EXPECT_EQ(client.Get(key)->text, shard);
  }
  EXPECT_GT(moved, 0u);
  EXPECT_EQ(load.failures(), 0u);
}

TEST(ReloadTest, ARequestInFlightFinishesWhereItWasSent) {
  HeldShard old_shard;
  FakeShards shards(1);
  const Address listen = NewAddress();
  WeirProcess weir(Pool("alpha", listen, {old_shard.address()}));
  RespClient client(listen);
  std::vector<Reply> replies;
  std::thread asking([&] { replies = client.Ask(EncodeRequest({"GET", "a"}), 1); });
  ASSERT_TRUE(old_shard.Receives(1));
  EXPECT_TRUE(weir.Reload(Pool("alpha", listen, {shards.address(0)})));
  // Others are served by the new one meanwhile.
  EXPECT_EQ(RespClient(listen).Get("a")->text, "0");
  old_shard.Sends("$3\r\nold\r\n");
  asking.join();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].text, "old");
  EXPECT_EQ(client.Get("a")->text, "0");
  EXPECT_TRUE(old_shard.IsLeft());
}

TEST(ReloadTest, AConnectionSurvivesChangesOfItsPoolAndOfItsShardsPlace) {
  HeldShard held;
  FakeShards shards(2);
  const Address listen = NewAddress();
  WeirProcess weir(Pool("alpha", listen, {held.address()}));
  RespClient client(listen);
  std::vector<Reply> replies;
  std::thread asking([&] { replies = client.Ask(EncodeRequest({"GET", "a"}), 1); });
  ASSERT_TRUE(held.Receives(1));
  // A shard whose name sorts before s0: the held one has another index now.
  const std::string servers = StrCat("'", shards.address(0), ":1 a', '", held.address(), ":1 s0'");
  EXPECT_TRUE(weir.Reload(StrCat("alpha: {listen: ", listen,
                                 ", redis: true, timeout: 600000, servers: [", servers, "]}\n")));
  held.Sends("$4\r\nheld\r\n");
  asking.join();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].text, "held");
}

TEST(ReloadTest, ABadFileIsRefusedWithEveryErrorAndTheOldOneServesOn) {
  FakeShards shards(1);
  const Address listen = NewAddress();
  WeirProcess weir(Pool("alpha", listen, {shards.address(0)}));
  RespClient client(listen);
  EXPECT_EQ(client.Get("key")->text, "0");
  EXPECT_FALSE(weir.Reload("alpha:\n  timeout: soon\n  hash: none\n"));
  EXPECT_THAT(weir.Log(), HasSubstr("weir.yml:2: pool 'alpha', key 'timeout'"));
  EXPECT_THAT(weir.Log(), HasSubstr("weir.yml:3: pool 'alpha', key 'hash'"));
  EXPECT_EQ(client.Get("key")->text, "0");
  // An address that is taken is no reason to lose the others.
  EXPECT_FALSE(weir.Reload(Pool("alpha", NewAddress(), {shards.address(0)}) +
                           Pool("beta", shards.address(0), {shards.address(0)})));
  EXPECT_EQ(client.Get("key")->text, "0");
  EXPECT_EQ(RespClient(listen).Get("key")->text, "0");
}

TEST(ReloadTest, AMovedListenerKeepsItsSessionsAndPoolsMaySwapAddresses) {
  FakeShards shards(2);
  const Address one = NewAddress();
  const Address two = NewAddress();
  WeirProcess weir(Pool("alpha", one, {shards.address(0)}));
  RespClient client(one);
  EXPECT_EQ(client.Get("key")->text, "0");
  EXPECT_TRUE(weir.Reload(Pool("alpha", two, {shards.address(0)}) +
                          Pool("beta", one, {shards.address(1)})));
  EXPECT_EQ(client.Get("key")->text, "0");
  EXPECT_EQ(RespClient(one).Get("key")->text, "1");
  EXPECT_EQ(RespClient(two).Get("key")->text, "0");
  EXPECT_TRUE(weir.Reload(Pool("alpha", one, {shards.address(0)}) +
                          Pool("beta", two, {shards.address(1)})));
  EXPECT_EQ(client.Get("key")->text, "0");
  EXPECT_EQ(RespClient(one).Get("key")->text, "0");
  EXPECT_EQ(RespClient(two).Get("key")->text, "1");
}

// Where an open socket is in the way of the new one: an address under two names stands for what
// 0.0.0.0:P and 127.0.0.1:P are to each other, without listening to others than this machine.
TEST(ReloadTest, AListenerMovesToAnAddressThatOverlapsWithItsOld) {
  FakeShards shards(1);
  const uint16_t port = FreePort();
  const Address number = StrCat("127.0.0.1:", port);
  const Address name = StrCat("localhost:", port);
  WeirProcess weir(Pool("alpha", number, {shards.address(0)}));
  RespClient client(number);
  for (const Address& listen : {name, number, name}) {
    EXPECT_EQ(client.Get("key")->text, "0");
    EXPECT_TRUE(weir.Reload(Pool("alpha", listen, {shards.address(0)}))) << listen;
    EXPECT_EQ(RespClient(number).Get("key")->text, "0") << listen;
  }
  // The new socket alone is left.
  EXPECT_TRUE(weir.Reload(Pool("alpha", NewAddress(), {shards.address(0)})));
  EXPECT_FALSE(Connect(number));
  EXPECT_EQ(client.Get("key")->text, "0");
}

TEST(ReloadTest, EveryAddressThatCannotBeHadIsNamedAndTheOldSocketsStay) {
  FakeShards shards(3);
  const uint16_t port = FreePort();
  const Address number = StrCat("127.0.0.1:", port);
  WeirProcess weir(Pool("alpha", number, {shards.address(0)}));
  EXPECT_FALSE(weir.Reload(Pool("alpha", StrCat("localhost:", port), {shards.address(0)}) +
                           Pool("beta", shards.address(1), {shards.address(0)}) +
                           Pool("gamma", shards.address(2), {shards.address(0)})));
  EXPECT_THAT(weir.Log(), HasSubstr("weir.yml:2: pool 'beta', key 'listen': "));
  EXPECT_THAT(weir.Log(), HasSubstr("weir.yml:3: pool 'gamma', key 'listen': "));
  EXPECT_EQ(RespClient(number).Get("key")->text, "0");
}

// The proxy died of a failed check.
TEST(ReloadTest, AReloadWhileAShardIsEjectedKeepsItEjectedAndEndsNothing) {
  FakeShards shards(2);
  const Address listen = NewAddress();
  const auto pool = [&](int timeout) {
    return Pool("alpha", listen, {shards.address(0), shards.address(1)},
                StrCat("auto_eject_hosts: true, server_failure_limit: 1, "
                       "server_retry_timeout: 3600000, timeout: ",
                       timeout, ", "));
  };
  WeirProcess weir(pool(20000));
  RespClient client(listen);
  shards.Stop(1);
  EXPECT_TRUE(Eventually([&] {
    for (const std::string& key : Keys()) client.Get(key);
    return weir.Log().find("shard_ejected") != std::string::npos;
  }));
  EXPECT_TRUE(weir.Reload(pool(10000)));
  for (const std::string& key : Keys()) EXPECT_EQ(client.Get(key)->text, "0") << key;
}

TEST(ReloadTest, AnEjectedShardThatMovedIsProbedAtItsNewAddressAtOnce) {
  FakeShards shards(3);
  const Address listen = NewAddress();
  const std::string_view eject =
      "auto_eject_hosts: true, server_failure_limit: 1, server_retry_timeout: 3600000, ";
  WeirProcess weir(Pool("alpha", listen, {shards.address(0), shards.address(1)}, eject));
  RespClient client(listen);
  std::string key;
  for (const std::string& candidate : Keys()) {
    if (client.Get(candidate)->text == "1") key = candidate;
  }
  shards.Stop(1);
  EXPECT_TRUE(Eventually([&] { return client.Get(key)->text == "0"; }));
  // Nobody answers at the first new address, so it stays out; at the second it returns.
  EXPECT_TRUE(weir.Reload(Pool("alpha", listen, {shards.address(0), NewAddress()}, eject)));
  EXPECT_TRUE(weir.Logs("probe_failed"));
  EXPECT_EQ(client.Get(key)->text, "0");
  EXPECT_TRUE(weir.Reload(Pool("alpha", listen, {shards.address(0), shards.address(2)}, eject)));
  EXPECT_TRUE(Eventually([&] { return client.Get(key)->text == "2"; }));
}

TEST(ReloadTest, TheLimitOfClientsCountsAllWorkersAndFollows) {
  FakeShards shards(1);
  const Address listen = NewAddress();
  const auto limited = [&](int limit) {
    return Pool("alpha", listen, {shards.address(0)}, StrCat("client_connections: ", limit, ", "));
  };
  WeirProcess weir(limited(2));
  RespClient first(listen);
  RespClient second(listen);
  EXPECT_EQ(first.Get("key")->text, "0");
  EXPECT_EQ(second.Get("key")->text, "0");
  EXPECT_EQ(RespClient(listen).Ask("", 1)[0].text, "ERR max number of clients reached");
  EXPECT_TRUE(weir.Reload(limited(3)));
  RespClient third(listen);
  EXPECT_EQ(third.Get("key")->text, "0");
  EXPECT_EQ(RespClient(listen).Ask("", 1)[0].text, "ERR max number of clients reached");
  EXPECT_TRUE(weir.Reload(limited(1)));
  EXPECT_EQ(first.Get("key")->text, "0");
}

TEST(ReloadTest, ATransactionOpenAcrossAReloadGoesWhereItsKeysAreThen) {
  HeldShard old_shard;
  HeldShard new_shard;
  const Address listen = NewAddress();
  WeirProcess weir(Pool("alpha", listen, {old_shard.address()}));
  RespClient client(listen);
  EXPECT_EQ(client.Ask(EncodeRequest({"MULTI"}) + EncodeRequest({"SET", "a", "1"}), 2).size(), 2u);
  EXPECT_TRUE(weir.Reload(Pool("alpha", listen, {new_shard.address()})));
  std::vector<Reply> replies;
  std::thread asking([&] { replies = client.Ask(EncodeRequest({"EXEC"}), 1); });
  EXPECT_TRUE(new_shard.Receives(3));
  new_shard.Sends("+OK\r\n+QUEUED\r\n$4\r\ndone\r\n");
  asking.join();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].text, "done");
}

}  // namespace
}  // namespace weir
