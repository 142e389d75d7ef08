// The life of the process: it starts, says what is wrong, runs in the background, reopens its log,
// drains and ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/integration/held_shard.h"
#include "tests/integration/redis_server.h"
#include "tests/integration/weir_process.h"
#include "tests/support/fake_shards.h"
#include "tests/support/resp_client.h"
#include "tests/support/sanitizers.h"

namespace weir {
namespace {

using testing::HasSubstr;

std::string OnePool(const Address& listen, const Address& shard, std::string_view more = "") {
  return StrCat("alpha: {listen: ", listen, ", redis: true, ", more, "servers: ['", shard,
                ":1 s1']}\n");
}

Address NewAddress() { return StrCat("127.0.0.1:", FreePort()); }

bool Refuses(const Address& address) { return !Connect(address); }

// --- Sessions ---

TEST(LifeTest, ClientIdsAreUniqueInTheProcessAlsoInSeveralPools) {
  const Address alpha = NewAddress();
  const Address beta = NewAddress();
  WeirProcess weir(StrCat("alpha: {listen: ", alpha, ", redis: true, servers: [127.0.0.1:1:1]}\n",
                          "beta: {listen: ", beta, ", redis: true, servers: [127.0.0.1:1:1]}\n"));
  std::vector<std::unique_ptr<RespClient>> clients;
  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    for (const Address& address : {alpha, beta}) {
      clients.push_back(std::make_unique<RespClient>(address));
      ids.insert(clients.back()->Ask(EncodeRequest({"CLIENT", "ID"}), 1).at(0).text);
    }
  }
  EXPECT_EQ(ids.size(), clients.size());
}

// --- Starting ---

TEST(LifeTest, TestsAConfigurationAndSaysEveryMistake) {
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  std::ofstream(file) << OnePool("127.0.0.1:1", "127.0.0.1:2");
  Outcome good = RunToEnd({WeirProgram(), "-t", "-c", file});
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(good.output, StrCat("weir-proxy: configuration file '", file, "' syntax is ok\n"));

  std::ofstream(file) << "alpha:\n  timeout: soon\n  listne: 127.0.0.1:1\n";
  Outcome bad = RunToEnd({WeirProgram(), "-t", "-c", file});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.output, HasSubstr(StrCat(file, ":2: pool 'alpha', key 'timeout'")));
  EXPECT_THAT(bad.output, HasSubstr("listne"));
  EXPECT_THAT(bad.output, HasSubstr("' syntax is invalid\n"));
}

TEST(LifeTest, WithAControlPlaneAFileMayBeWithoutPoolsOrMissing) {
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  std::ofstream(file) << "# moved to the control plane\n";
  const Outcome empty = RunToEnd({WeirProgram(), "-t", "-c", file, "--control", "127.0.0.1:1"});
  EXPECT_EQ(empty.exit_code, 0);
  EXPECT_THAT(empty.output, HasSubstr("' syntax is ok\n"));
  const Outcome alone = RunToEnd({WeirProgram(), "-t", "-c", file});
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.output, HasSubstr("expected at least one pool"));
  const Outcome none = RunToEnd({WeirProgram(), "-t", "--control", "127.0.0.1:1"});
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_EQ(none.output, "weir-proxy: no configuration file: pools come from --control alone\n");
}

TEST(LifeTest, ATokenFileThatCannotBeReadEndsItAtTheStartAndIsNamed) {
  TempDirectory directory;
  const std::string token = directory.path() + "/token";
  const Outcome ended = RunToEnd({WeirProgram(), "-s", StrCat(FreePort()), "--control",
                                  "127.0.0.1:1", "--control-token-file", token});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.output, HasSubstr(StrCat("weir-proxy: --control-token-file: ", token)));
}

TEST(LifeTest, WarnsOfWhatWorksHereAndNotInTwemproxyWhenItTestsAConfiguration) {
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  std::ofstream(file) << OnePool("127.0.0.1:1", "127.0.0.1:2", "client_connections: 1000, ");
  Outcome outcome = RunToEnd({WeirProgram(), "-t", "-c", file});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output,
              testing::MatchesRegex(".*:1: warning: pool 'alpha', key 'client_connections'.*\n"
                                    "weir-proxy: .* syntax is ok\n"));
}

TEST(LifeTest, RefusesMemcachedPoolsUntilItServesThem) {
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  std::ofstream(file) << "alpha: {listen: 127.0.0.1:1, servers: ['127.0.0.1:2:1']}\n"
                         "beta: {listen: 127.0.0.1:3, servers: ['127.0.0.1:2:1'], timeout: soon}\n";
  Outcome outcome = RunToEnd({WeirProgram(), "-t", "-c", file});
  EXPECT_EQ(outcome.exit_code, 1);
  const std::string why = "memcached pools are not served yet\n";
  EXPECT_THAT(outcome.output, HasSubstr(StrCat(file, ":1: pool 'alpha', key 'redis': ")));
  EXPECT_THAT(outcome.output, HasSubstr(StrCat(file, ":2: pool 'beta', key 'redis': ")));
  EXPECT_THAT(outcome.output, HasSubstr(why));
  EXPECT_THAT(outcome.output, HasSubstr(StrCat(file, ":2: pool 'beta', key 'timeout': ")));
}

// A configuration was once read into a buffer of the size that a file may have at most.
TEST(LifeTest, AProxyThatJustStartedHasTakenLittleMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers take memory of their own";
  WeirProcess weir(OnePool(NewAddress(), "127.0.0.1:2"), {"--threads", "1"});
  const std::string status = ReadFile(StrCat("/proc/", weir.process().pid(), "/status"));
  const size_t at = status.find("VmHWM:");
  ASSERT_NE(at, status.npos);
  const std::string_view line = std::string_view(status).substr(at + 6, 32);
  const size_t digits = line.find_first_not_of(" \t");
  const std::string_view kib = line.substr(digits, line.find(' ', digits) - digits);
  // The libraries alone, gRPC's before all, take about 14 MiB; that buffer took 16 MiB.
  EXPECT_LT(ParseInt<int>(kib).value(), 20 * 1024);
}

TEST(LifeTest, RefusesToStartOnAnAddressThatIsTaken) {
  FakeShards shards(1);
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  std::ofstream(file) << "alpha:\n  redis: true\n  servers: ['127.0.0.1:2:1']\n  listen: "
                      << shards.address(0) << "\n";
  Outcome outcome = RunToEnd({WeirProgram(), "-c", file, "-s", std::to_string(FreePort())});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr(StrCat(file, ":4: pool 'alpha', key 'listen'")));
}

// A daemon started with -d; ended with the object.
class Daemon {
 public:
  explicit Daemon(std::string pid_file) : pid_file_(std::move(pid_file)) {}
  ~Daemon() {
    if (pid() > 0) kill(pid(), SIGKILL);
  }
  pid_t pid() const { return ParseInt<pid_t>(FirstLine()).value_or(0); }

 private:
  std::string FirstLine() const {
    const std::string text = ReadFile(pid_file_);
    return text.substr(0, text.find('\n'));
  }
  const std::string pid_file_;
};

TEST(LifeTest, RunsInTheBackgroundWithItsPidInAFile) {
  FakeShards shards(1);
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  const std::string pid_file = directory.path() + "/pid";
  const Address listen = NewAddress();
  std::ofstream(file) << OnePool(listen, shards.address(0));
  const auto start = [&](uint16_t stats_port) {
    return RunToEnd({WeirProgram(), "-d", "-c", file, "-p", pid_file, "-o",
                     directory.path() + "/log", "-a", "127.0.0.1", "-s",
                     std::to_string(stats_port)});
  };
  Daemon daemon(pid_file);
  EXPECT_EQ(start(FreePort()).exit_code, 0);
  // It serves by the time its starter returns.
  EXPECT_FALSE(Refuses(listen));
  EXPECT_EQ(RespClient(listen).Get("key")->text, "0");
  ASSERT_GT(daemon.pid(), 0);

  Outcome second = start(FreePort());
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.output, HasSubstr(StrCat("process ", daemon.pid(), " holds it")));

  kill(daemon.pid(), SIGTERM);
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(pid_file); }));
  EXPECT_TRUE(Eventually([&] { return Refuses(listen); }));
}

TEST(LifeTest, ADaemonThatCannotStartFailsItsStarter) {
  TempDirectory directory;
  const std::string file = directory.path() + "/weir.yml";
  std::ofstream(file) << "alpha: {listen: nowhere}\n";
  Outcome outcome = RunToEnd({WeirProgram(), "-d", "-c", file, "-p", directory.path() + "/pid"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr(StrCat(file, ":1: pool 'alpha', key 'listen'")));
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/pid"));
}

TEST(LifeTest, TakesOverAPidFileLeftByACrash) {
  FakeShards shards(1);
  TempDirectory directory;
  const std::string pid_file = directory.path() + "/pid";
  std::ofstream(pid_file) << "4194000\n";
  WeirProcess weir(OnePool(NewAddress(), shards.address(0)), {"-p", pid_file});
  EXPECT_EQ(ReadFile(pid_file), StrCat(weir.process().pid(), "\n"));
  EXPECT_EQ(weir.Terminate(), 0);
  EXPECT_FALSE(std::filesystem::exists(pid_file));
}

TEST(LifeTest, GivesAUnixSocketItsModeAndRemovesItsFileInTheEnd) {
  FakeShards shards(1);
  TempDirectory directory;
  const Address listen = directory.path() + "/weir.sock";
  WeirProcess weir(OnePool(StrCat("'", listen, " 0620'"), shards.address(0)));
  const auto mode = [&] {
    struct stat status = {};
    stat(listen.c_str(), &status);
    return status.st_mode & 0777;
  };
  EXPECT_EQ(mode(), 0620u);
  EXPECT_EQ(RespClient(listen).Get("key")->text, "0");
  EXPECT_TRUE(weir.Reload(OnePool(StrCat("'", listen, " 0666'"), shards.address(0))));
  EXPECT_EQ(mode(), 0666u);
  EXPECT_EQ(weir.Terminate(), 0);
  EXPECT_FALSE(std::filesystem::exists(listen));
}

// --- The log ---

TEST(LifeTest, GoesOnInANewLogAfterItWasRenamed) {
  FakeShards shards(1);
  WeirProcess weir(OnePool(NewAddress(), shards.address(0)));
  std::filesystem::rename(weir.log_path(), weir.log_path() + ".1");
  weir.process().Signal(SIGUSR1);
  EXPECT_TRUE(weir.Logs(" log_reopened"));
  std::filesystem::rename(weir.log_path(), weir.log_path() + ".2");
  weir.process().Signal(SIGHUP);
  EXPECT_TRUE(weir.Logs(" reloaded "));
  EXPECT_THAT(weir.Log(), HasSubstr("log_reopened"));
}

TEST(LifeTest, ChangesTheLogLevelAndIgnoresSigusr2) {
  FakeShards shards(1);
  WeirProcess weir(OnePool(NewAddress(), shards.address(0)));
  weir.process().Signal(SIGUSR2);
  EXPECT_TRUE(weir.Logs(" signal_ignored "));
  weir.process().Signal(SIGTTIN);
  EXPECT_TRUE(weir.Logs(" log_level level=6"));
  weir.process().Signal(SIGTTOU);
  EXPECT_TRUE(weir.Logs(" log_level level=5"));
}

// --- Memory ---

// Values that several clients ask for and nobody reads, on a shard; and one small value.
class UnreadReplies {
 public:
  UnreadReplies() {
    for (size_t i = 0; i < kClients; ++i) {
      CHECK_EQ(shard_.Ask({"SET", Key(i), std::string(kBytes, 'x')}), "OK");
    }
    CHECK_EQ(shard_.Ask({"SET", "small", "value"}), "OK");
  }

  const Address& shard() const { return shard_.address(); }
  // Each client asks for a value of its own.
  void AskAndNeverRead(const Address& proxy) {
    for (size_t i = 0; i < kClients; ++i) {
      clients_.push_back(Connect(proxy));
      const std::string request = EncodeRequest({"GET", Key(i)});
      CHECK_EQ(write(clients_.back().get(), request.data(), request.size()),
               static_cast<ssize_t>(request.size()));
    }
  }
  void Leave() { clients_.clear(); }

 private:
  static constexpr size_t kClients = 8;
  static constexpr size_t kBytes = 12 << 20;  // less than one client may hold by itself

  static std::string Key(size_t i) { return StrCat("large:", i); }

  RedisServer shard_;
  std::vector<OwnedFd> clients_;
};

TEST(LifeTest, ClosesTheClientsThatHoldMostAtTheMemoryLimitAndNoOthers) {
  UnreadReplies unread;
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, unread.shard()), {"--threads", "1", "--memory-limit", "64M"});
  unread.AskAndNeverRead(listen);
  EXPECT_TRUE(weir.Logs(" closed_by_memory_limit "));
  const std::optional<Reply> small = RespClient(listen).Get("small");
  ASSERT_TRUE(small.has_value());
  EXPECT_EQ(small->text, "value");
  unread.Leave();
  EXPECT_EQ(weir.Terminate(), 0);
}

TEST(LifeTest, ClosesTheClientsThatHoldMostAtTheOutputLimitOfTheirPoolAndNoOthers) {
  UnreadReplies unread;
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, unread.shard(), "pool_output_limit: 30000000, "),
                   {"--threads", "2"});
  unread.AskAndNeverRead(listen);
  EXPECT_TRUE(weir.Logs(" pool_output_limit pool=alpha "));
  const std::optional<Reply> small = RespClient(listen).Get("small");
  ASSERT_TRUE(small.has_value());
  EXPECT_EQ(small->text, "value");
  unread.Leave();
  EXPECT_EQ(weir.Terminate(), 0);
}

// --- Ending ---

TEST(LifeTest, AnswersWhatIsPendingBeforeItEnds) {
  HeldShard shard;
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, shard.address()));
  RespClient client(listen);
  std::vector<Reply> replies;
  std::thread asking(
      [&] { replies = client.Ask(EncodeRequest({"GET", "a"}) + EncodeRequest({"GET", "b"}), 2); });
  ASSERT_TRUE(shard.Receives(2));
  weir.process().Signal(SIGTERM);
  EXPECT_TRUE(weir.Logs(" accepting_stopped"));
  EXPECT_TRUE(Refuses(listen));
  EXPECT_TRUE(weir.process().Running());
  shard.Sends("$1\r\nA\r\n$1\r\nB\r\n");
  asking.join();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].text, "A");
  EXPECT_EQ(replies[1].text, "B");
  EXPECT_EQ(weir.process().Wait(), 0);
  EXPECT_THAT(weir.Log(), HasSubstr("reason=drained"));
}

TEST(LifeTest, AcceptsForDrainDelayAfterSigterm) {
  FakeShards shards(1);
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, shards.address(0)), {"--drain-delay", "600000"});
  weir.process().Signal(SIGTERM);
  EXPECT_TRUE(weir.Logs(" drain_begins "));
  EXPECT_EQ(RespClient(listen).Get("key")->text, "0");
  weir.process().Signal(SIGTERM);
  EXPECT_EQ(weir.process().Wait(), 0);
}

TEST(LifeTest, ASecondSigtermEndsAtOnce) {
  HeldShard shard;
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, shard.address()));
  RespClient client(listen);
  std::thread asking([&] { EXPECT_FALSE(client.Get("never answered").has_value()); });
  ASSERT_TRUE(shard.Receives(1));
  weir.process().Signal(SIGTERM);
  EXPECT_TRUE(weir.Logs(" accepting_stopped"));
  weir.process().Signal(SIGTERM);
  EXPECT_EQ(weir.process().Wait(), 0);
  asking.join();
  EXPECT_THAT(weir.Log(), HasSubstr("reason=second_signal"));
}

TEST(LifeTest, DrainTimeoutEndsWhatNeverFallsQuiet) {
  HeldShard shard;
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, shard.address()), {"--drain-timeout", "200"});
  RespClient client(listen);
  std::thread asking([&] { EXPECT_FALSE(client.Get("never answered").has_value()); });
  ASSERT_TRUE(shard.Receives(1));
  EXPECT_EQ(weir.Terminate(), 0);
  asking.join();
  EXPECT_THAT(weir.Log(), HasSubstr("reason=drain_timeout"));
}

TEST(LifeTest, AnswersEveryRequestOfBusyClientsWhileItDrains) {
  FakeShards shards(1);
  const Address listen = NewAddress();
  WeirProcess weir(OnePool(listen, shards.address(0)));
  constexpr size_t kClients = 8;
  std::atomic<size_t> asked = 0;
  std::atomic<bool> enough = false;
  std::vector<std::thread> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      RespClient client(listen);
      const std::string requests =
          EncodeRequest({"GET", "a"}) + EncodeRequest({"GET", StrCat("key", i)});
      while (!enough) {
        EXPECT_EQ(client.Ask(requests, 2).size(), 2u);
        ++asked;
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return asked > 20 * kClients; }));
  weir.process().Signal(SIGTERM);
  EXPECT_TRUE(weir.Logs(" accepting_stopped"));
  const size_t before = asked;
  EXPECT_TRUE(Eventually([&] { return asked > before + 20 * kClients; }));
  enough = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(weir.process().Wait(), 0);
}

}  // namespace
}  // namespace weir
