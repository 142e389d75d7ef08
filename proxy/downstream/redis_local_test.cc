#include "proxy/downstream/redis_local.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_reader.h"

namespace weir {
namespace {

using Words = std::vector<std::string>;

Words SplitLine(std::string_view line) {
  std::istringstream in{std::string(line)};
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

Words Strings(std::string_view frame) {
  Words strings;
  RespElements elements(frame);
  while (const auto element = elements.Next()) {
    strings.emplace_back(ReadString(*element).value_or("?"));
  }
  return strings;
}

// A session that only asks what the proxy answers itself.
class RedisLocalTest : public testing::Test {
 protected:
  RedisLocalTest() {
    pool_.name = "alpha";
    pool_.listen.endpoint = TcpEndpoint("127.0.0.1", 22121);
    pool_.servers.resize(2);
    context_.peer_address = "127.0.0.1:40000";
    context_.local_address = "127.0.0.1:22121";
    context_.session_id = 7;
    context_.now = absl::FromUnixMicros(1700000000123456);
    context_.started_at = context_.now - absl::Hours(25);
    state_.connected_at = context_.now - absl::Seconds(90);
    context_.workers = 2;
    context_.sessions = 3;
    context_.version = "1.2.3";
  }

  // The reply, or "" for none.
  std::string Ask(const Words& words) {
    const std::vector<std::string_view> args(words.begin(), words.end());
    const CommandSpec* spec = RedisCommands().Find(args[0]);
    EXPECT_NE(spec, nullptr);
    if (spec->has_subcommands() && args.size() > 1) {
      spec = RedisCommands().FindSubcommand(*spec, args[1]);
      EXPECT_NE(spec, nullptr);
    }
    EXPECT_EQ(spec->command_class, CommandClass::kLocal);
    EXPECT_TRUE(ArityMatches(*spec, args.size()));
    std::string reply;
    outcome_ = AnswerLocally(*spec, args, context_, state_, &reply);
    EXPECT_EQ(reply.empty(), outcome_ == LocalOutcome::kNoReply);
    return reply;
  }
  std::string Says(std::string_view line) { return Ask(SplitLine(line)); }

  // The value of a reply that is a bulk or a verbatim string.
  std::string Text(std::string_view line) { return std::string(*ReadString(Says(line))); }

  PoolConfig pool_;
  RedisSessionState state_;
  LocalContext context_{.pool = pool_, .commands = RedisCommands()};
  LocalOutcome outcome_ = LocalOutcome::kReplied;
};

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kSyntaxError = "-ERR syntax error\r\n";

TEST_F(RedisLocalTest, PingEchoAndTimeAnswerAsRedis) {
  EXPECT_EQ(Says("PING"), "+PONG\r\n");
  EXPECT_EQ(Says("ping hello"), "$5\r\nhello\r\n");
  EXPECT_EQ(Says("PING a b"), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(Says("ECHO hello"), "$5\r\nhello\r\n");
  EXPECT_EQ(Ask({"ECHO", std::string("\0\r\n", 3)}), std::string("$3\r\n\0\r\n\r\n", 9));
  EXPECT_EQ(Says("TIME"), "*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n");
  EXPECT_EQ(Says("UNWATCH"), kOk);
}

TEST_F(RedisLocalTest, QuitIsAnsweredBeforeTheEnd) {
  EXPECT_EQ(Says("QUIT"), kOk);
  EXPECT_EQ(outcome_, LocalOutcome::kReplyAndClose);
}

TEST_F(RedisLocalTest, ResetForgetsAllButThePool) {
  pool_.redis_auth = "secret";
  Says("HELLO 3 AUTH default secret SETNAME me");
  Says("CLIENT REPLY OFF");
  state_.transaction = std::make_unique<RedisTransaction>();
  EXPECT_EQ(Says("RESET"), "+RESET\r\n");
  EXPECT_EQ(outcome_, LocalOutcome::kReplied);
  EXPECT_EQ(state_.version, RespVersion::kResp2);
  EXPECT_EQ(state_.reply_mode, ReplyMode::kOn);
  EXPECT_EQ(state_.client_name, "");
  EXPECT_EQ(state_.transaction, nullptr);
  EXPECT_FALSE(state_.authenticated);

  pool_.redis_auth.clear();
  Says("RESET");
  EXPECT_TRUE(state_.authenticated) << "there is no password to ask for again";
}

TEST_F(RedisLocalTest, AuthTakesThePoolsPasswordFromTheDefaultUser) {
  constexpr std::string_view kWrong =
      "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
  pool_.redis_auth = "secret";
  for (std::string_view right : {"AUTH secret", "AUTH default secret"}) {
    EXPECT_EQ(Says(right), kOk);
    EXPECT_TRUE(state_.authenticated);
  }
  for (std::string_view wrong :
       {"AUTH secre", "AUTH secretsecret", "AUTH Secret", "AUTH default", "AUTH other secret",
        "AUTH DEFAULT secret", "AUTH default wrong"}) {
    state_.authenticated = false;
    EXPECT_EQ(Says(wrong), kWrong) << wrong;
    EXPECT_FALSE(state_.authenticated);
  }
  EXPECT_EQ(Ask({"AUTH", ""}), kWrong);
  EXPECT_EQ(Says("AUTH a b c"), kSyntaxError);
}

TEST_F(RedisLocalTest, AWrongPasswordLogsNobodyOut) {
  pool_.redis_auth = "secret";
  Says("AUTH secret");
  Says("AUTH wrong");
  EXPECT_TRUE(state_.authenticated);
  Says("HELLO 3 AUTH default wrong");
  EXPECT_TRUE(state_.authenticated);
}

TEST_F(RedisLocalTest, AuthWithoutAPasswordToKnowIsAnError) {
  EXPECT_EQ(Says("AUTH x"),
            "-ERR AUTH <password> called without any password configured for the default user. Are "
            "you sure your configuration is correct?\r\n");
  EXPECT_EQ(Says("AUTH default x"), kOk) << "redis' default user then takes any password";
  EXPECT_EQ(Says("AUTH other x"),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_TRUE(state_.authenticated);
}

TEST_F(RedisLocalTest, HelloGreetsInTheVersionItAsksFor) {
  constexpr std::string_view kGreeting2 =
      "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:2\r\n"
      "$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
      "$7\r\nmodules\r\n*0\r\n";
  constexpr std::string_view kGreeting3 =
      "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n"
      "$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
      "$7\r\nmodules\r\n*0\r\n";
  EXPECT_EQ(Says("HELLO"), kGreeting2);
  EXPECT_EQ(Says("HELLO 3"), kGreeting3);
  EXPECT_EQ(state_.version, RespVersion::kResp3);
  EXPECT_EQ(Says("HELLO"), kGreeting3) << "without a version nothing changes";
  EXPECT_EQ(Says("HELLO 2 setname me"), kGreeting2);
  EXPECT_EQ(state_.version, RespVersion::kResp2);
  EXPECT_EQ(Says("CLIENT GETNAME"), "$2\r\nme\r\n");
}

TEST_F(RedisLocalTest, HelloRefusesVersionsThatDoNotExist) {
  constexpr std::string_view kNoProto = "-NOPROTO unsupported protocol version\r\n";
  constexpr std::string_view kNoNumber =
      "-ERR Protocol version is not an integer or out of range\r\n";
  for (std::string_view line : {"HELLO 1", "HELLO 4", "HELLO -1", "HELLO 5 FOO"}) {
    EXPECT_EQ(Says(line), kNoProto) << line;
  }
  for (std::string_view line : {"HELLO x", "HELLO 03", "HELLO SETNAME me", "HELLO +3"}) {
    EXPECT_EQ(Says(line), kNoNumber) << line;
  }
  EXPECT_EQ(state_.version, RespVersion::kResp2);
}

TEST_F(RedisLocalTest, HelloRefusesVersion3WhereAShardDid) {
  context_.resp2_only = true;
  EXPECT_EQ(Says("HELLO 3"), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(state_.version, RespVersion::kResp2);
  EXPECT_TRUE(Says("HELLO 2").starts_with("*14\r\n"));
}

TEST_F(RedisLocalTest, AHelloWithAWrongOptionChangesNothing) {
  EXPECT_EQ(Says("HELLO 3 AUTH a"), "-ERR Syntax error in HELLO option 'AUTH'\r\n");
  EXPECT_EQ(Says("HELLO 3 SETNAME"), "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
  EXPECT_EQ(Says("HELLO 3 SETNAME me FOO"), "-ERR Syntax error in HELLO option 'FOO'\r\n");
  EXPECT_EQ(Ask({"HELLO", "3", "SETNAME", "a b"}),
            "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(state_.version, RespVersion::kResp2);
  EXPECT_EQ(state_.client_name, "");
}

TEST_F(RedisLocalTest, HelloNeedsThePasswordWhereThereIsOne) {
  constexpr std::string_view kNoAuth =
      "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
      "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
      "protocol version at the same time\r\n";
  pool_.redis_auth = "secret";
  EXPECT_EQ(Says("HELLO"), kNoAuth);
  EXPECT_EQ(Says("HELLO 3 SETNAME me"), kNoAuth);
  EXPECT_EQ(Says("HELLO 3 AUTH default wrong SETNAME me"),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(state_.client_name, "");
  EXPECT_EQ(state_.version, RespVersion::kResp2);
  EXPECT_TRUE(Says("HELLO 3 SETNAME me AUTH default secret").starts_with("%7\r\n"));
  EXPECT_TRUE(state_.authenticated);
  EXPECT_EQ(state_.client_name, "me");
  EXPECT_TRUE(Says("HELLO 2").starts_with("*14\r\n"));
}

TEST_F(RedisLocalTest, ClientNamesHaveNoBlanks) {
  constexpr std::string_view kBadName =
      "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
  EXPECT_EQ(Says("CLIENT ID"), ":7\r\n");
  EXPECT_EQ(Says("CLIENT GETNAME"), "$-1\r\n");
  EXPECT_EQ(Says("CLIENT SETNAME me!~"), kOk);
  EXPECT_EQ(Says("CLIENT GETNAME"), "$4\r\nme!~\r\n");
  for (std::string_view bad : {"a b", "a\nb", "\t", "\x7f", "\xc3\xa9"}) {
    EXPECT_EQ(Ask({"CLIENT", "SETNAME", std::string(bad)}), kBadName) << bad;
  }
  EXPECT_EQ(Ask({"CLIENT", "SETNAME", std::string(kMaxClientAttribute + 1, 'x')}),
            "-ERR Client names cannot be longer than 1024 bytes.\r\n");
  EXPECT_EQ(Says("CLIENT GETNAME"), "$4\r\nme!~\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETNAME", ""}), kOk);
  Says("HELLO 3");
  EXPECT_EQ(Says("CLIENT GETNAME"), "_\r\n");
}

TEST_F(RedisLocalTest, ClientsNameTheirLibrary) {
  EXPECT_EQ(Says("CLIENT SETINFO LIB-VER 8.0.1"), kOk);
  EXPECT_NE(Text("CLIENT INFO").find(" lib-name= lib-ver=8.0.1\n"), std::string::npos);
  EXPECT_EQ(Says("CLIENT SETINFO lib-name redis-py"), kOk);
  EXPECT_NE(Text("CLIENT INFO").find(" lib-name=redis-py lib-ver=8.0.1\n"), std::string::npos);
  EXPECT_EQ(Says("CLIENT SETINFO LIB-VER 9"), kOk);
  EXPECT_EQ(state_.library, "redis-py 9");
  EXPECT_EQ(Says("CLIENT SETINFO FOO x"), "-ERR Unrecognized option 'FOO'\r\n");
  EXPECT_EQ(Ask({"CLIENT", "SETINFO", "lib-ver", "a b"}),
            "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(state_.library, "redis-py 9");
}

TEST_F(RedisLocalTest, ClientInfoAndListShowThisSession) {
  pool_.redis_db = 5;
  Says("CLIENT SETNAME me");
  const std::string_view expected_end = " user=default redir=-1 resp=2 lib-name= lib-ver=\n";
  const std::string info = Text("CLIENT INFO");
  EXPECT_TRUE(
      info.starts_with("id=7 addr=127.0.0.1:40000 laddr=127.0.0.1:22121 fd=-1 name=me "
                       "age=90 idle=0 flags=N db=5 sub=0 psub=0 ssub=0 multi=-1 "))
      << info;
  EXPECT_TRUE(info.ends_with(StrCat(" cmd=client|info", expected_end))) << info;
  const std::string list = Text("CLIENT LIST");
  EXPECT_TRUE(list.ends_with(StrCat(" cmd=client|list", expected_end))) << list;
  EXPECT_EQ(Text("CLIENT LIST TYPE NORMAL"), list);
  EXPECT_EQ(Text("CLIENT LIST ID 1 7"), list);

  state_.transaction = std::make_unique<RedisTransaction>();
  state_.transaction->commands = 2;
  EXPECT_NE(Text("CLIENT INFO").find(" flags=x "), std::string::npos);
  EXPECT_NE(Text("CLIENT INFO").find(" multi=2 "), std::string::npos);

  Says("HELLO 3");
  EXPECT_TRUE(Says("CLIENT INFO").starts_with("="));
  EXPECT_NE(Text("CLIENT INFO").find(" resp=3 "), std::string::npos);
}

TEST_F(RedisLocalTest, ClientListTakesRedisFilters) {
  for (std::string_view line : {"CLIENT LIST TYPE pubsub", "CLIENT LIST TYPE replica",
                                "CLIENT LIST ID 0", "CLIENT LIST ID 1 8"}) {
    EXPECT_EQ(Says(line), "$0\r\n\r\n") << line;
  }
  EXPECT_EQ(Says("CLIENT LIST TYPE foo"), "-ERR Unknown client type 'foo'\r\n");
  EXPECT_EQ(Says("CLIENT LIST ID 7 x"), "-ERR Invalid client ID\r\n");
  for (std::string_view line :
       {"CLIENT LIST ID", "CLIENT LIST TYPE", "CLIENT LIST FOO", "CLIENT LIST TYPE normal x"}) {
    EXPECT_EQ(Says(line), kSyntaxError) << line;
  }
}

TEST_F(RedisLocalTest, ClientReplySetsTheModeThatTheCallerObeys) {
  EXPECT_EQ(Says("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(state_.reply_mode, ReplyMode::kSkipNext);
  EXPECT_EQ(Says("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(state_.reply_mode, ReplyMode::kSkipNext);
  EXPECT_EQ(Says("CLIENT REPLY OFF"), "");
  EXPECT_EQ(state_.reply_mode, ReplyMode::kOff);
  EXPECT_EQ(Says("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(state_.reply_mode, ReplyMode::kOff);
  EXPECT_EQ(Says("CLIENT REPLY FOO"), kSyntaxError);
  EXPECT_EQ(state_.reply_mode, ReplyMode::kOff) << "the error is silent, too";
  EXPECT_EQ(Says("CLIENT REPLY ON"), kOk);
  EXPECT_EQ(state_.reply_mode, ReplyMode::kOn);
}

TEST_F(RedisLocalTest, NoEvictAndNoTouchAreAcceptedWithoutEffect) {
  for (std::string_view command : {"CLIENT NO-EVICT", "CLIENT NO-TOUCH"}) {
    EXPECT_EQ(Says(StrCat(command, " ON")), kOk);
    EXPECT_EQ(Says(StrCat(command, " off")), kOk);
    EXPECT_EQ(Says(StrCat(command, " foo")), kSyntaxError);
  }
}

TEST_F(RedisLocalTest, HelpIsAnArrayOfLines) {
  for (std::string_view command : {"CLIENT", "COMMAND"}) {
    const std::string reply = Says(StrCat(command, " HELP"));
    const Words lines = Strings(reply);
    ASSERT_GT(lines.size(), 10u);
    EXPECT_TRUE(lines[0].starts_with(StrCat(command, " <subcommand> "))) << lines[0];
    EXPECT_EQ(lines.back(), "    Prints this help.");
  }
}

TEST_F(RedisLocalTest, SelectTakesTheOneDatabaseThatThePoolHas) {
  EXPECT_EQ(Says("SELECT 0"), kOk);
  EXPECT_EQ(Says("SELECT 1"),
            "-ERR DB index is out of range: this pool has one database, selected by 0\r\n");
  pool_.redis_db = 3;
  EXPECT_EQ(Says("SELECT 3"), kOk);
  EXPECT_EQ(Says("SELECT 0"), kOk);
  EXPECT_EQ(Says("SELECT -1"),
            "-ERR DB index is out of range: this pool has one database, selected by 0 or 3\r\n");
  for (std::string_view line : {"SELECT x", "SELECT 03", "SELECT -0"}) {
    EXPECT_EQ(Says(line), "-ERR value is not an integer or out of range\r\n") << line;
  }
  EXPECT_EQ(Says("SELECT 2147483648"),
            "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
}

TEST_F(RedisLocalTest, InfoTellsOfTheProxyInRedisFormat) {
  const std::string info = Text("INFO");
  for (const std::string& line :
       {std::string("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"),
        std::string("\r\nweir_version:1.2.3\r\nweir_pool:alpha\r\nweir_shards:2\r\n"
                    "weir_workers:2\r\n"),
        StrCat("\r\nprocess_id:", getpid(), "\r\n"), std::string("\r\ntcp_port:22121\r\n"),
        std::string("\r\nuptime_in_seconds:90000\r\nuptime_in_days:1\r\n"),
        std::string("\r\n\r\n# Clients\r\nconnected_clients:3\r\n"),
        std::string("\r\n\r\n# Persistence\r\nloading:0\r\n"),
        std::string("\r\n\r\n# Replication\r\nrole:master\r\n"),
        std::string("\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n")}) {
    EXPECT_NE(info.find(line), std::string::npos) << line << "in\n" << info;
  }
  for (std::string_view line : {"INFO all", "info EVERYTHING", "INFO default cluster"}) {
    EXPECT_EQ(Text(line), info);
  }
  EXPECT_EQ(info.find("maxclients"), std::string::npos);
  pool_.client_connections = 9;
  EXPECT_NE(Text("INFO clients").find("\r\nmaxclients:9\r\n"), std::string::npos);
}

TEST_F(RedisLocalTest, InfoGivesTheSectionsAskedFor) {
  EXPECT_EQ(Says("INFO Cluster"), "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
  EXPECT_EQ(Text("INFO keyspace cluster cluster"),
            "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n");
  EXPECT_EQ(Says("INFO foo"), "$0\r\n\r\n");
  Says("HELLO 3");
  EXPECT_EQ(Says("INFO cluster"), "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
  EXPECT_EQ(Says("INFO foo"), "=4\r\ntxt:\r\n");
}

TEST_F(RedisLocalTest, CommandInfoHasRedisShapeInBothVersions) {
  EXPECT_EQ(Says("COMMAND INFO GET foo zunion"),
            "*3\r\n"
            "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
            "*0\r\n*0\r\n*0\r\n*0\r\n"
            "$-1\r\n"
            "*10\r\n$6\r\nzunion\r\n:-3\r\n*2\r\n+readonly\r\n+movablekeys\r\n:0\r\n:0\r\n:0\r\n"
            "*0\r\n*0\r\n*0\r\n*0\r\n");
  Says("HELLO 3");
  EXPECT_EQ(Says("COMMAND INFO client|id foo"),
            "*2\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n~3\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:"
            "0\r\n:0\r\n"
            "~0\r\n~0\r\n~0\r\n~0\r\n_\r\n");
}

TEST_F(RedisLocalTest, CommandShowsWhatThePoolLetsPass) {
  const auto listed = [this] {
    const Words names = Strings(Says("COMMAND LIST"));
    return std::set<std::string>(names.begin(), names.end());
  };
  const auto count = [this] { return ReadInteger(Says("COMMAND COUNT")).value(); };

  const std::set<std::string> many = listed();
  for (std::string name : {"get", "mget", "xread", "client", "client|id", "command", "multi"}) {
    EXPECT_TRUE(many.contains(name)) << name;
  }
  for (std::string name : {"watch", "config", "cluster|slots", "client|kill", "scan", "flushall"}) {
    EXPECT_FALSE(many.contains(name)) << name;
  }
  EXPECT_EQ(Says("COMMAND INFO watch scan flushall"), "*3\r\n$-1\r\n$-1\r\n$-1\r\n");

  const int64_t count_of_many = count();
  EXPECT_EQ(RespElements(Says("COMMAND")).count(), count_of_many);
  EXPECT_EQ(Says("COMMAND INFO"), Says("COMMAND"));
  pool_.allow_flush = true;
  EXPECT_EQ(count(), count_of_many + 2);
  pool_.servers.resize(1);
  EXPECT_TRUE(listed().contains("scan"));
  EXPECT_FALSE(listed().contains("watch"));
}

TEST_F(RedisLocalTest, CommandListFiltersByPattern) {
  EXPECT_EQ(Strings(Says("COMMAND LIST FILTERBY PATTERN Xr*")),
            (Words{"xrange", "xread", "xreadgroup", "xrevrange"}));
  EXPECT_EQ(Strings(Says("command list filterby pattern client|i[dn]*")),
            (Words{"client|id", "client|info"}));
  EXPECT_EQ(Says("COMMAND LIST FILTERBY MODULE foo"), "*0\r\n");
  EXPECT_EQ(Says("COMMAND LIST FILTERBY ACLCAT read"), "*0\r\n");
  for (std::string_view line :
       {"COMMAND LIST FOO", "COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY FOO x",
        "COMMAND LIST FILTERBY PATTERN a b"}) {
    EXPECT_EQ(Says(line), kSyntaxError) << line;
  }
}

TEST_F(RedisLocalTest, ALongPatternDoesNotHoldUpTheWorker) {
  const std::string pattern = "*[" + std::string(10'000'000, 'x');
  EXPECT_EQ(Ask({"COMMAND", "LIST", "FILTERBY", "PATTERN", pattern}),
            "-ERR the pattern is too long\r\n");
}

TEST_F(RedisLocalTest, AReplyMuchLongerThanItsRequestIsAnErrorBeyondTheLimit) {
  context_.max_reply = 100'000;
  std::vector<std::string> words = {"COMMAND", "INFO"};
  words.resize(100, "client");
  EXPECT_EQ(Ask(words).substr(0, 5), "*98\r\n");
  words.resize(10'000, "client");
  EXPECT_EQ(Ask(words), "-ERR the reply is larger than the pool's session_output_limit\r\n");
  words = {"COMMAND", "GETKEYSANDFLAGS", "MGET"};
  words.resize(10'000, "k");
  EXPECT_EQ(Ask(words), "-ERR the reply is larger than the pool's session_output_limit\r\n");
}

TEST_F(RedisLocalTest, ARefusedArgumentIsNotRepeatedWhole) {
  const std::string large(1'000'000, 'x');
  EXPECT_LE(Ask({"HELLO", "3", large}).size(), 300u);
  EXPECT_LE(Ask({"CLIENT", "LIST", "TYPE", large}).size(), 300u);
  EXPECT_LE(Ask({"CLIENT", "SETINFO", large, "x"}).size(), 300u);
}

TEST_F(RedisLocalTest, CommandDocsHasNone) {
  EXPECT_EQ(Says("COMMAND DOCS"), "*0\r\n");
  Says("HELLO 3");
  EXPECT_EQ(Says("COMMAND DOCS get"), "%0\r\n");
}

TEST_F(RedisLocalTest, CommandGetKeysFindsKeysOfAnyCommandThatTheTableKnows) {
  EXPECT_EQ(Strings(Says("COMMAND GETKEYS mset a 1 b 2")), (Words{"a", "b"}));
  EXPECT_EQ(Strings(Says("COMMAND GETKEYS XGROUP create a g 0")), (Words{"a"}));
  EXPECT_EQ(Strings(Says("COMMAND GETKEYS blpop a b 0")), (Words{"a", "b"})) << "refused elsewhere";
  EXPECT_EQ(Says("COMMAND GETKEYS eval s 0"), "*0\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS eval s 5 a"), "*0\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS lmpop 0 a LEFT"),
            "-ERR Invalid arguments specified for command\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS foo a"), "-ERR Invalid command specified\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS xgroup foo a"), "-ERR Invalid command specified\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS get a b"),
            "-ERR Invalid number of arguments specified for command\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS ping x"), "-ERR The command has no key arguments\r\n");
  EXPECT_EQ(Says("COMMAND GETKEYS spublish a b"), "-ERR The command has no key arguments\r\n");
}

TEST_F(RedisLocalTest, CommandGetKeysAndFlagsTellsReadsFromWrites) {
  EXPECT_EQ(Says("COMMAND GETKEYSANDFLAGS mget a b"),
            "*2\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n*2\r\n$1\r\nb\r\n*2\r\n+RO\r\n+access"
            "\r\n");
  Says("HELLO 3");
  EXPECT_EQ(Says("COMMAND GETKEYSANDFLAGS set a b"),
            "*1\r\n*2\r\n$1\r\na\r\n~3\r\n+RW\r\n+access\r\n+update\r\n");
}

TEST_F(RedisLocalTest, EveryLocalCommandOfTheTableHasAnAnswer) {
  size_t answered = 0;
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (spec.command_class != CommandClass::kLocal) continue;
    const size_t bar = spec.name.find('|');
    Words words = {std::string(spec.name.substr(0, bar))};
    if (bar != std::string_view::npos) words.emplace_back(spec.name.substr(bar + 1));
    const size_t least = static_cast<size_t>(spec.arity < 0 ? -spec.arity : spec.arity);
    while (words.size() < least) words.emplace_back("1");
    EXPECT_NE(Ask(words), "") << spec.name;
    ++answered;
  }
  EXPECT_GT(answered, 20u);
}

}  // namespace
}  // namespace weir
