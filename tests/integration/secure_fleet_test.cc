// A password's whole way: from a file of weir-control over TLS to a weir-proxy, which logs in to a
// real redis with it, and to nobody else. weirctl administrates. All of them are real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/integration/redis_server.h"
#include "tests/integration/weir_process.h"
#include "tests/support/process.h"
#include "tests/support/resp_client.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_authority.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kPassword = "open-sesame-1";
constexpr std::string_view kNextPassword = "open-sesame-2";
constexpr std::string_view kPasswordsHaveInCommon = "open-sesame";
constexpr char kProxyToken[] = "foo";

// Hashes: printf %s TOKEN | sha256sum, of "test" and "foo".
constexpr std::string_view kTokens =
    "alice write sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
    "fleet discovery sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n"
    "carl discovery cn:carl\n";

class SecureFleetTest : public ::testing::Test {
 protected:
  SecureFleetTest() {
    CHECK_EQ(shard_.Ask({"CONFIG", "SET", "requirepass", kPassword}), "OK");
    authority_.Issue("server", "localhost");
    Write("tokens", kTokens);
    Write("alice-token", "test");
    Write("proxy-token", kProxyToken);
    CHECK(std::filesystem::create_directory(Path("secrets")));
    Write("secrets/redis", kPassword);
    StartControl();
  }

  // Accepts connections when it returns.
  void StartControl() {
    control_ = std::make_unique<Process>(
        std::vector<std::string>{
            Program("WEIR_CONTROL"), StrCat("--data-dir=", Path("data")),
            StrCat("--secrets-dir=", Path("secrets")),
            StrCat("--listen-discovery=127.0.0.1:", discovery_port_),
            StrCat("--listen-admin=127.0.0.1:", admin_port_), "--http=127.0.0.1:0",
            StrCat("--tls-cert=", Path("server.pem")), StrCat("--tls-key=", Path("server.key")),
            StrCat("--tls-client-ca=", Path("ca.pem")), StrCat("--tokens=", Path("tokens"))},
        Path("control.log"));
    const Address admin = StrCat("127.0.0.1:", admin_port_);
    CHECK(Eventually([&] { return static_cast<bool>(Connect(admin)); }));
  }

  // As alice.
  Outcome Weirctl(std::vector<std::string> words) const {
    words.insert(words.begin(),
                 {Program("WEIRCTL"), StrCat("--server=127.0.0.1:", admin_port_),
                  StrCat("--ca=", Path("ca.pem")), StrCat("--token-file=", Path("alice-token"))});
    return RunToEnd(words);
  }

  // At address_, with its only shard behind the password of the secret "redis".
  void CreatePool() {
    Write("alpha.yml", StrCat("alpha:\n  listen: ", address_,
                              "\n  redis: true\n  redis_auth_secret: redis\n  servers:\n    - ",
                              shard_.address(), ":1 a\n"));
    const Outcome outcome = Weirctl({"create", "-f", Path("alpha.yml")});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output << ReadFile(Path("control.log"));
  }

  std::vector<std::string> ProxyFlags(const std::vector<std::string>& credential) const {
    std::vector<std::string> flags = {StrCat("--control=127.0.0.1:", discovery_port_),
                                      StrCat("--control-ca=", Path("ca.pem")), "--threads=1"};
    flags.insert(flags.end(), credential.begin(), credential.end());
    return flags;
  }
  std::string WithToken() const { return StrCat("--control-token-file=", Path("proxy-token")); }

  static std::string Ask(RespClient& client, const std::vector<std::string_view>& request) {
    const std::vector<Reply> replies = client.Ask(EncodeRequest(request), 1);
    return replies.empty() ? "no reply" : replies[0].text;
  }

  // A client of the pool, who gives its password as a client of the shard would.
  RespClient LoggedIn(std::string_view password = kPassword) const {
    RespClient client(address_);
    EXPECT_EQ(Ask(client, {"AUTH", password}), "OK");
    return client;
  }

  // The files below the folder that contain the text.
  static std::vector<std::string> FilesWith(const std::string& folder, std::string_view text) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && ReadFile(entry.path()).find(text) != std::string::npos) {
        found.push_back(entry.path());
      }
    }
    return found;
  }

  std::string Path(std::string_view name) const { return authority_.path(name); }
  void Write(std::string_view name, std::string_view text) const {
    std::ofstream(Path(name)) << text;
  }

  TempDirectory directory_;
  TestAuthority authority_{directory_.path()};
  RedisServer shard_;
  const uint16_t discovery_port_ = FreePort();
  const uint16_t admin_port_ = FreePort();
  const Address address_ = StrCat("127.0.0.1:", FreePort());
  std::unique_ptr<Process> control_;
};

TEST_F(SecureFleetTest, TheProxyLogsInWithThePasswordAndWithTheNextOneWhenItChanges) {
  CreatePool();
  const WeirProcess proxy("", ProxyFlags({WithToken()}));
  RespClient client = LoggedIn();
  EXPECT_EQ(Ask(client, {"SET", "key", "value"}), "OK");

  // As one rotates it: the shard takes the new password, old connections live on for a while.
  RespClient administrator(shard_.address());
  ASSERT_EQ(Ask(administrator, {"AUTH", kPassword}), "OK");
  ASSERT_EQ(Ask(administrator, {"CONFIG", "SET", "requirepass", kNextPassword}), "OK");
  EXPECT_EQ(Ask(client, {"GET", "key"}), "value");
  Write("secrets/redis", kNextPassword);
  EXPECT_TRUE(proxy.Logs("resources_applied", 2)) << proxy.Log();
  EXPECT_EQ(Ask(client, {"GET", "key"}), "value");
  Ask(administrator, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_TRUE(Eventually([&] { return Ask(client, {"GET", "key"}) == "value"; })) << proxy.Log();
  RespClient next = LoggedIn(kNextPassword);
  EXPECT_EQ(Ask(next, {"GET", "key"}), "value");
}

TEST_F(SecureFleetTest, NeitherLogsNorFilesNorAnswersShowThePassword) {
  CreatePool();
  const WeirProcess proxy("", ProxyFlags({WithToken(), StrCat("--state-dir=", Path("state"))}));
  RespClient client = LoggedIn();
  EXPECT_EQ(Ask(client, {"SET", "key", "value"}), "OK");
  EXPECT_EQ(Weirctl({"set-weight", "alpha", "a", "2", "--yes"}).exit_code, 0);

  std::string answers;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"get", "pools", "-ojson"},
                                             {"get", "versions", "alpha", "-ojson"},
                                             {"get", "proxies", "-ojson"},
                                             {"describe", "pool", "alpha"},
                                             {"export", "alpha"},
                                             {"explain", "alpha", "key"}}) {
    const Outcome outcome = Weirctl(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    answers += outcome.output;
  }
  EXPECT_THAT(answers, HasSubstr("redis_auth_secret"));
  EXPECT_EQ(answers.find(kPasswordsHaveInCommon), std::string::npos);
  std::filesystem::remove(Path("secrets/redis"));
  EXPECT_THAT(FilesWith(directory_.path(), kPasswordsHaveInCommon), IsEmpty());
  EXPECT_THAT(FilesWith(proxy.directory(), kPasswordsHaveInCommon), IsEmpty());
}

TEST_F(SecureFleetTest, WithStateSecretsAProxyStartsWithoutTheControlPlane) {
  CreatePool();
  const std::vector<std::string> flags =
      ProxyFlags({WithToken(), StrCat("--state-dir=", Path("state")), "--state-secrets"});
  {
    WeirProcess proxy("", flags);
    RespClient client = LoggedIn();
    EXPECT_EQ(Ask(client, {"SET", "key", "value"}), "OK");
    EXPECT_EQ(proxy.Terminate(), 0);
  }
  control_.reset();
  const WeirProcess proxy("", flags);
  EXPECT_TRUE(proxy.Logs("state_restored"));
  RespClient client = LoggedIn();
  EXPECT_EQ(Ask(client, {"GET", "key"}), "value");
}

TEST_F(SecureFleetTest, AProxyIsKnownByItsCertificate) {
  CreatePool();
  authority_.Issue("carl", "carl");
  const WeirProcess proxy("", ProxyFlags({StrCat("--control-cert=", Path("carl.pem")),
                                          StrCat("--control-key=", Path("carl.key"))}));
  RespClient client = LoggedIn();
  EXPECT_EQ(Ask(client, {"SET", "key", "value"}), "OK");
}

TEST_F(SecureFleetTest, AProxyComesAgainWithTheCertificateThatIsOnDiskThen) {
  CreatePool();
  authority_.Issue("proxy", "carl");
  const WeirProcess proxy("", ProxyFlags({StrCat("--control-cert=", Path("proxy.pem")),
                                          StrCat("--control-key=", Path("proxy.key"))}));
  authority_.Issue("proxy", "dora");
  // With carl's credential goes the stream that it opened.
  Write("tokens", StrCat(kTokens.substr(0, kTokens.find("carl")), "dora discovery cn:dora\n"));
  EXPECT_TRUE(proxy.Logs("control_connected", 2)) << proxy.Log();
  const Outcome change = Weirctl({"set-weight", "alpha", "a", "2", "--yes"});
  EXPECT_THAT(change.output, HasSubstr("1 of 1 proxies have acknowledged"));
}

TEST_F(SecureFleetTest,
       AnOperatorsTokenIsNoProxysAndAProxyWithTheWrongAuthorityTellsNobodyItsToken) {
  const WeirProcess operators("",
                              ProxyFlags({StrCat("--control-token-file=", Path("alice-token"))}));
  EXPECT_TRUE(operators.Logs("control_not_reached")) << operators.Log();
  EXPECT_THAT(operators.Log(), HasSubstr("discovery"));

  const TempDirectory elsewhere;
  const TestAuthority other(elsewhere.path());
  const WeirProcess deceived("", {StrCat("--control=127.0.0.1:", discovery_port_), WithToken(),
                                  StrCat("--control-ca=", other.path("ca.pem")), "--threads=1"});
  EXPECT_TRUE(deceived.Logs("control_not_reached")) << deceived.Log();
}

}  // namespace
}  // namespace weir
