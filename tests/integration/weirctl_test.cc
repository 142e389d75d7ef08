// The real weirctl against a real weir-control: every command, what it prints and how it ends.
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/ctl/admin_client.h"
#include "controlplane/ctl/connection.h"
#include "controlplane/ctl/exit_code.h"
#include "gmock/gmock.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/integration/control_client.h"
#include "tests/integration/weir_process.h"
#include "tests/support/process.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kPools =
    "alpha:\n"
    "  listen: 127.0.0.1:22121\n"
    "  redis: true\n"
    "  servers:\n"
    "    - 127.0.0.1:6379:1 a\n"
    "    - 127.0.0.1:6380:1 b\n";

// Hashes: printf %s TOKEN | sha256sum, of "test" and "foo".
constexpr std::string_view kTokens =
    "alice write sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
    "rita read sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n";

// How a weirctl ended: with the exit code, and what it printed to both outputs.
MATCHER_P2(Ends, exit_code, output, "") {
  *result_listener << "exit code " << arg.exit_code << ", output:\n" << arg.output;
  return arg.exit_code == exit_code && testing::Matches(output)(arg.output);
}

class WeirctlProcessTest : public ::testing::Test {
 protected:
  // Serves when it returns. The admin API and discovery share a Unix socket.
  void StartsControl(const std::vector<std::string>& flags = {}) {
    std::vector<std::string> command = {
        Program("WEIR_CONTROL"), "--data-dir", Path("data"), "--listen-admin", socket(),
        "--listen-discovery",    socket(),     "--http",     "127.0.0.1:0"};
    command.insert(command.end(), flags.begin(), flags.end());
    control_ = std::make_unique<Process>(command, Path("log"));
    // weirctl itself tries again for two seconds.
    for (int i = 0; i < 10 && Runs({"get", "pools"}).exit_code == 5; ++i) {
      ASSERT_TRUE(control_->Running()) << ReadFile(Path("log"));
    }
  }
  void KillsControl() {
    control_->Signal(SIGKILL);
    control_->Wait();
  }

  Outcome Runs(std::vector<std::string> words) const {
    words.insert(words.begin(), {Program("WEIRCTL"), "--server", socket()});
    return RunToEnd(words);
  }
  Outcome CreatesAlpha() const { return Runs({"create", "-f", Write("pools.yml", kPools)}); }

  // Waits until the process has printed the text; false when it ends before.
  bool Prints(Process& process, std::string_view file, std::string_view text) const {
    while (ReadFile(Path(file)).find(text) == std::string::npos) {
      if (!process.Running()) return false;
      usleep(10'000);
    }
    return true;
  }

  std::shared_ptr<grpc::Channel> Channel() const {
    return grpc::CreateChannel(StrCat("unix:", socket()), grpc::InsecureChannelCredentials());
  }

  std::string Path(std::string_view name) const { return StrCat(directory_.path(), "/", name); }
  std::string socket() const { return Path("control.sock"); }
  std::string Write(std::string_view name, std::string_view text) const {
    std::ofstream(Path(name)) << text;
    return Path(name);
  }

  TempDirectory directory_;
  std::unique_ptr<Process> control_;
};

TEST_F(WeirctlProcessTest, CreatesShowsAndDeletesPools) {
  StartsControl();
  EXPECT_THAT(Runs({"get", "pools"}), Ends(0, "no pools\n"));
  EXPECT_THAT(CreatesAlpha(), Ends(0, AllOf(HasSubstr("pool 'alpha': generation 1"),
                                            HasSubstr("no proxy of the fleet is connected"))));
  EXPECT_THAT(CreatesAlpha(), Ends(1, HasSubstr("there is a pool 'alpha' already")));
  EXPECT_THAT(
      Runs({"get", "pools"}),
      Ends(0, AllOf(StartsWith("POOL "), HasSubstr("alpha  default  127.0.0.1:22121  2/2"))));
  EXPECT_THAT(Runs({"get", "pools", "-o", "yaml"}), Ends(0, std::string(kPools)));
  EXPECT_THAT(Runs({"get", "pools", "alpha", "-o", "json"}),
              Ends(0, AllOf(StartsWith("{"), HasSubstr("\"generation\": \"1\""))));
  EXPECT_THAT(Runs({"describe", "pool", "alpha"}),
              Ends(0, AllOf(HasSubstr("In force, 2 shards on the ring:"),
                            HasSubstr("none is connected"), HasSubstr(kPools))));
  EXPECT_THAT(Runs({"delete", "alpha"}),
              Ends(7, AllOf(StartsWith("plan of pool 'alpha'"), HasSubstr("--yes"))));
  EXPECT_THAT(Runs({"delete", "alpha", "--yes"}), Ends(0, HasSubstr("delete pool alpha")));
  EXPECT_THAT(Runs({"delete", "alpha", "--yes"}), Ends(1, HasSubstr("there is no pool 'alpha'")));
  EXPECT_THAT(Runs({"delete", "alpha", "--yes", "--allow-missing"}), Ends(0, testing::_));
}

TEST_F(WeirctlProcessTest, ChangesShardsAfterAPlanAndWithYes) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  const std::vector<std::string> add = {"add-shard", "alpha", "c", "127.0.0.1:6381"};
  EXPECT_THAT(Runs(add),
              Ends(7, AllOf(HasSubstr("shards on the ring: 2 -> 3"), HasSubstr("not confirmed"))));
  EXPECT_THAT(Runs({"plan", "add-shard", "alpha", "c", "127.0.0.1:6381"}),
              Ends(0, AllOf(HasSubstr("add shard c (127.0.0.1:6381, weight 1)"),
                            HasSubstr("keys that move: "))));
  EXPECT_THAT(Runs({"get", "shards", "alpha"}), Ends(0, Not(HasSubstr("127.0.0.1:6381"))));
  EXPECT_THAT(Runs({"add-shard", "alpha", "c", "127.0.0.1:6381", "--yes"}),
              Ends(0, HasSubstr("generation 2")));
  EXPECT_THAT(Runs({"set-weight", "alpha", "c", "2", "--yes"}),
              Ends(0, HasSubstr("shard c: weight 1 -> 2")));
  EXPECT_THAT(Runs({"set-endpoint", "alpha", "c", "127.0.0.1:6382"}),
              Ends(0, HasSubstr("0.00 % of the keys move")));
  EXPECT_THAT(Runs({"drain", "alpha", "a", "--yes"}),
              Ends(0, HasSubstr("shard a: active -> draining")));
  EXPECT_THAT(Runs({"get", "shards", "alpha"}), Ends(0, HasSubstr("draining")));
  EXPECT_THAT(Runs({"drain", "alpha", "a", "--undo", "--yes"}),
              Ends(0, HasSubstr("shard a: draining -> active")));
  EXPECT_THAT(Runs({"remove-shard", "alpha", "b", "--yes"}), Ends(0, HasSubstr("remove shard b")));
  EXPECT_THAT(Runs({"get", "shards", "alpha", "-o", "json"}),
              Ends(0, AllOf(HasSubstr("\"generation\": \"7\""), HasSubstr("\"weight\": 2"))));
}

TEST_F(WeirctlProcessTest, ShowsAndApprovesWhatTheGuardHolds) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  const std::vector<std::string> remove = {"remove-shard", "alpha",       "a",
                                           "--yes",        "--max-moved", "0.1"};
  const Outcome held = Runs(remove);
  EXPECT_THAT(held, Ends(3, AllOf(HasSubstr("held, nothing has changed"),
                                  HasSubstr("weirctl approve alpha "))));
  EXPECT_THAT(Runs({"get", "pools"}), Ends(0, HasSubstr("change held")));
  EXPECT_THAT(Runs({"plan", "remove-shard", "alpha", "a", "--max-moved", "0.1"}),
              Ends(3, HasSubstr("held by the guard: ")));
  EXPECT_THAT(Runs({"approve", "alpha", "wrong", "--yes"}), Ends(1, HasSubstr("no change with")));
  const std::string hint = "weirctl approve alpha ";
  const std::string plan = held.output.substr(held.output.rfind(hint) + hint.size(), 16);
  EXPECT_THAT(Runs({"describe", "pool", "alpha"}), Ends(0, HasSubstr(hint + plan)));
  EXPECT_THAT(Runs({"approve", "alpha", plan}), Ends(7, testing::_));
  EXPECT_THAT(Runs({"approve", "alpha", plan, "--yes"}), Ends(0, HasSubstr("generation 2")));
}

TEST_F(WeirctlProcessTest, ListsVersionsAndRollsBack) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  ASSERT_THAT(Runs({"add-shard", "alpha", "c", "127.0.0.1:6381", "--yes"}), Ends(0, testing::_));
  EXPECT_THAT(Runs({"get", "versions", "alpha"}),
              Ends(0, AllOf(StartsWith("GENERATION "), HasSubstr("api unix"),
                            HasSubstr("add shard c (127.0.0.1:6381, weight 1)"))));
  EXPECT_THAT(Runs({"rollback", "alpha", "9", "--yes"}), Ends(1, HasSubstr("generation 9")));
  EXPECT_THAT(Runs({"rollback", "alpha", "1", "--yes"}),
              Ends(0, AllOf(HasSubstr("generation 3"), HasSubstr("remove shard c"))));
  EXPECT_THAT(Runs({"get", "versions", "alpha", "-o", "yaml"}),
              Ends(0, AllOf(StartsWith("versions:\n"), HasSubstr("generation: \"3\""))));
}

TEST_F(WeirctlProcessTest, ExplainsAKey) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  EXPECT_THAT(Runs({"explain", "alpha", "user:1"}),
              Ends(0, AllOf(StartsWith("key 'user:1': hashed 'user:1' -> "),
                            HasSubstr("by ring point"), HasSubstr("endpoint 127.0.0.1:6"))));
  EXPECT_THAT(
      Runs({"explain", "alpha", "user:1", "--with", "z=9", "--without", "a", "--without", "b"}),
      Ends(0, HasSubstr("proposed: shard 'z'")));
  EXPECT_THAT(Runs({"explain", "alpha", "user:1", "-o", "json"}),
              Ends(0, HasSubstr("\"ring_point\": ")));
  EXPECT_THAT(Runs({"explain", "alpha", "k", "--without", "z"}),
              Ends(1, HasSubstr("has no shard 'z'")));
}

TEST_F(WeirctlProcessTest, AppliesWhatItExportsAndWhatWasEdited) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  const Outcome exported = Runs({"export"});
  EXPECT_THAT(exported, Ends(0, std::string(kPools)));
  EXPECT_THAT(Runs({"apply", "-f", Path("pools.yml")}), Ends(0, "pool 'alpha': unchanged\n"));
  const std::string edited = Write("edited.yml", exported.output + "    - 127.0.0.1:6381:1 c\n");
  EXPECT_THAT(Runs({"plan", "apply", "-f", edited}), Ends(0, HasSubstr("add shard c")));
  EXPECT_THAT(Runs({"apply", "-f", edited}), Ends(7, HasSubstr("not confirmed")));
  EXPECT_THAT(Runs({"apply", "-f", edited, "--yes"}), Ends(0, HasSubstr("generation 2")));
  const std::string wrong = Write("wrong.yml", "alpha: {listen: nowhere, servers: []}\n");
  EXPECT_THAT(Runs({"apply", "-f", wrong}), Ends(1, HasSubstr("wrong.yml:1: pool 'alpha'")));
  EXPECT_THAT(Runs({"apply", "-f", Path("missing.yml")}), Ends(1, HasSubstr("No such file")));
  EXPECT_THAT(Runs({"apply"}), Ends(2, HasSubstr("--file")));
}

TEST_F(WeirctlProcessTest, ImportsATwemproxyFileWithoutItsPassword) {
  StartsControl();
  const std::string file = Write("nutcracker.yml",
                                 "old:\n"
                                 "  listen: 127.0.0.1:22123\n"
                                 "  redis: true\n"
                                 "  redis_auth: hunter2\n"
                                 "  servers:\n"
                                 "   - 127.0.0.1:6379:1\n");
  EXPECT_THAT(Runs({"import", file, "--print"}),
              Ends(0, AllOf(HasSubstr("redis_auth_secret: old"), Not(HasSubstr("hunter2")))));
  EXPECT_THAT(Runs({"import", file, "--fleet", "eu-1"}), Ends(0, HasSubstr("generation 1")));
  EXPECT_THAT(Runs({"get", "pools", "--fleet", "eu-1"}), Ends(0, HasSubstr("old")));
  EXPECT_THAT(Runs({"export", "old"}), Ends(0, HasSubstr("fleet: eu-1")));
}

TEST_F(WeirctlProcessTest, WaitsForProxiesAndShowsWhatTheyRefuse) {
  StartsControl();
  EXPECT_THAT(Runs({"get", "proxies"}), Ends(0, "no proxy is connected\n"));
  StreamClient proxy(Channel());
  proxy.Opens("p1");
  proxy.Takes();
  std::future<Outcome> created = std::async(std::launch::async, [this] { return CreatesAlpha(); });
  proxy.Takes();
  EXPECT_THAT(created.get(), Ends(0, HasSubstr("1 of 1 proxies have acknowledged")));

  std::future<Outcome> changed = std::async(std::launch::async, [this] {
    return Runs({"add-shard", "alpha", "c", "127.0.0.1:6381", "--yes"});
  });
  proxy.Takes("no room");
  EXPECT_THAT(changed.get(), Ends(4, HasSubstr("no room")));
  EXPECT_THAT(Runs({"get", "proxies"}), Ends(0, AllOf(HasSubstr("p1"), HasSubstr("no room"))));
  EXPECT_THAT(Runs({"get", "proxies", "--pool", "alpha", "-o", "json"}),
              Ends(0, HasSubstr("\"error_detail\": \"no room\"")));
  EXPECT_THAT(Runs({"describe", "pool", "alpha"}), Ends(0, HasSubstr("p1")));
  EXPECT_THAT(Runs({"remove-shard", "alpha", "c", "--yes", "--wait", "none"}), Ends(0, testing::_));
}

TEST_F(WeirctlProcessTest, SaysWhichRealProxyRefusedAPoolAndWhy) {
  const std::string discovery = StrCat("127.0.0.1:", FreePort());
  StartsControl({"--listen-discovery", discovery});
  const OwnedFd taken = Listen("127.0.0.1:0");
  const std::string address = StrCat("127.0.0.1:", BoundPort(taken));
  const WeirProcess proxy("", {"--threads", "1", "--control", discovery, "--node-id", "p1"});
  ASSERT_TRUE(proxy.Logs(" control_connected "));
  const std::string pools = Write(
      "pools.yml",
      StrCat("alpha: {listen: '", address, "', redis: true, servers: ['127.0.0.1:6379:1 a']}\n"));
  const auto refusal = AllOf(HasSubstr("p1"), HasSubstr("policy.listen"), HasSubstr(address),
                             HasSubstr("Address already in use"));
  EXPECT_THAT(Runs({"create", "-f", pools}),
              Ends(4, AllOf(HasSubstr("0 of 1 proxies have acknowledged"), refusal)));
  EXPECT_THAT(Runs({"get", "proxies"}), Ends(0, refusal));
  EXPECT_THAT(Runs({"get", "pools"}), Ends(0, HasSubstr("1 of 1 proxies refuse it")));
}

// weirctl on a terminal of its own, which util-linux's `script` makes.
TEST_F(WeirctlProcessTest, CountsProxiesOnATerminalWhileTheyAcknowledge) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  StreamClient slow(Channel());
  slow.Opens("p1");
  slow.Takes();
  Process weirctl({"/usr/bin/script", "--quiet", "--return", "--flush", "--command",
                   StrCat(Program("WEIRCTL"), " --server ", socket(),
                          " set-weight alpha a 2 --yes --wait-timeout 60"),
                   Path("typescript")},
                  Path("terminal"));
  EXPECT_TRUE(Prints(weirctl, "terminal", "\r\x1b[K0 of 1 proxies are up to date"));
  slow.Takes();
  EXPECT_EQ(weirctl.Wait(), 0);
  const std::string shown = ReadFile(Path("terminal"));
  EXPECT_THAT(shown, HasSubstr("1 of 1 proxies have acknowledged"));
  // The line is wiped before the answer.
  EXPECT_THAT(shown, HasSubstr("\r\x1b[Kpool 'alpha': generation 2"));
}

TEST_F(WeirctlProcessTest, WatchesPoolsUntilTheServerEnds) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  Process table({Program("WEIRCTL"), "--server", socket(), "watch"}, Path("table"));
  Process json({Program("WEIRCTL"), "--server", socket(), "watch", "-o", "json"}, Path("json"));
  EXPECT_TRUE(Prints(table, "table", "alpha: generation 1, 2 shards on the ring, no proxy"));
  EXPECT_TRUE(Prints(json, "json", "{\"changed\":[{\"name\":\"alpha\""));
  ASSERT_THAT(Runs({"delete", "alpha", "--yes"}), Ends(0, testing::_));
  EXPECT_TRUE(Prints(table, "table", "alpha: deleted"));
  EXPECT_TRUE(Prints(json, "json", "\"removed\":[\"alpha\"]"));
  control_->Signal(SIGTERM);
  EXPECT_EQ(control_->Wait(), 0);
  EXPECT_EQ(table.Wait(), 5);
  EXPECT_EQ(json.Wait(), 5);
  EXPECT_THAT(ReadFile(Path("table")), HasSubstr("weir-control ends"));
}

TEST_F(WeirctlProcessTest, AWatchEndsWhenTheServerAnswersNothingAnyMore) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  Connection connection;
  connection.server = socket();
  connection.keepalive = absl::Seconds(1);  // weirctl's, but for the test's time
  const auto client = ConnectAdmin(connection);
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::Status ended = (*client)->Watch({}, [this](const v1::WatchPoolsResponse&) {
    control_->Signal(SIGSTOP);
    return true;
  });
  EXPECT_THAT(ended.ToString(), HasSubstr("no answer from weir-control at "));
  EXPECT_EQ(ExitCodeOf(ended), ExitCode::kUnreachable);
}

TEST_F(WeirctlProcessTest, RepeatsARequestByItsIdAlsoADeletionAfterKillAndRestart) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  const std::vector<std::string> remove = {"delete",       "alpha",
                                           "--yes",        "--force",
                                           "--request-id", "11111111-2222-3333-4444-555555555555"};
  const Outcome first = Runs(remove);
  EXPECT_THAT(first, Ends(0, HasSubstr("delete pool alpha")));
  KillsControl();
  StartsControl();
  const Outcome second = Runs(remove);
  EXPECT_THAT(second, Ends(0, first.output));
  EXPECT_THAT(Runs({"delete", "alpha", "--yes", "--force"}), Ends(1, testing::_));
}

TEST_F(WeirctlProcessTest, SaysWhatToDoAboutMistakes) {
  StartsControl();
  ASSERT_THAT(CreatesAlpha(), Ends(0, testing::_));
  EXPECT_THAT(Runs({"get", "shards", "nope"}),
              Ends(1, AllOf(HasSubstr("there is no pool 'nope'"), HasSubstr("weirctl get pools"))));
  EXPECT_THAT(Runs({"drain", "alpha", "z"}), Ends(1, HasSubstr("has no shard 'z'")));
  EXPECT_THAT(Runs({"add-shard", "alpha", "c", "nowhere"}),
              Ends(1, HasSubstr("shard.endpoint: found 'nowhere', expected host:port")));
  EXPECT_THAT(Runs({"add-shard", "alpha", "c", "127.0.0.1:1", "--yes", "--etag", "old"}),
              Ends(8, HasSubstr("--force")));
  EXPECT_THAT(Runs({"add-shard", "alpha"}), Ends(2, HasSubstr("POOL SHARD ENDPOINT")));
  EXPECT_THAT(Runs({"get"}), Ends(2, HasSubstr("pools, shards, proxies or versions")));
  EXPECT_THAT(Runs({"get", "pools", "-o", "xml"}), Ends(2, HasSubstr("json or yaml")));
  EXPECT_THAT(Runs({"get", "pools", "--server", Path("nobody.sock")}),
              Ends(5, AllOf(HasSubstr("no answer from weir-control at"), HasSubstr("--server"))));
  EXPECT_THAT(Runs({"--help"}), Ends(0, HasSubstr("add-shard POOL SHARD ENDPOINT")));
  EXPECT_THAT(Runs({"drain", "--help"}), Ends(0, HasSubstr("weirctl drain alpha a --undo")));
}

TEST_F(WeirctlProcessTest, EndsWithSixWithoutTheRole) {
  StartsControl({"--tokens", Write("tokens", kTokens)});
  EXPECT_THAT(Runs({"get", "pools"}), Ends(6, HasSubstr("Give --token-file")));
  const std::string wrong = Write("wrong", "nobody\n");
  EXPECT_THAT(Runs({"get", "pools", "--token-file", wrong}), Ends(6, HasSubstr("not known")));
  const std::string reader = Write("reader", "foo\n");
  EXPECT_THAT(Runs({"get", "pools", "--token-file", reader}), Ends(0, "no pools\n"));
  const std::string pools = Write("pools.yml", kPools);
  EXPECT_THAT(Runs({"create", "-f", pools, "--token-file", reader}),
              Ends(6, HasSubstr("role `write`")));
  const std::string writer = Write("writer", "test\n");
  EXPECT_THAT(Runs({"create", "-f", pools, "--token-file", writer}), Ends(0, testing::_));
}

}  // namespace
}  // namespace weir
