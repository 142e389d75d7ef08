// What the proxy answers itself, against a real redis-server: the same lines to both, one after the
// other, as a client would send them.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_reader.h"
#include "proxy/downstream/redis_local.h"
#include "tests/conformance/real_redis.h"

namespace weir {
namespace {

// Words parted by blanks; `""` an empty one, and a `_` within one stands for a blank.
std::vector<std::string> SplitLine(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) {
    for (char& c : word) c = c == '_' ? ' ' : c;
    words.push_back(word == "\"\"" ? "" : word);
  }
  return words;
}

std::vector<std::string_view> Elements(std::string_view frame) {
  std::vector<std::string_view> elements;
  RespElements in(frame);
  while (const auto element = in.Next()) elements.push_back(*element);
  return elements;
}

std::set<std::string> Strings(std::string_view frame) {
  std::set<std::string> strings;
  for (std::string_view element : Elements(frame)) {
    strings.emplace(ReadString(element).value_or("?"));
  }
  return strings;
}

// Names of the fields of CLIENT INFO's line, in order.
std::vector<std::string> FieldNames(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> names;
  for (std::string field; in >> field;) names.push_back(field.substr(0, field.find('=')));
  return names;
}

// A server and a session of a pool of one shard, asked the same.
class LocalRepliesTest : public testing::Test {
 protected:
  struct Replies {
    std::string redis;
    std::string weir;
  };

  LocalRepliesTest() {
    pool_.servers.resize(1);
    context_.session_id = static_cast<uint64_t>(ReadInteger(Ask("CLIENT ID").redis).value());
  }

  std::string AskWeir(std::span<const std::string_view> args) {
    const CommandSpec* spec = RedisCommands().Find(args[0]);
    if (spec->has_subcommands() && args.size() > 1) {
      spec = RedisCommands().FindSubcommand(*spec, args[1]);
    }
    std::string reply;
    AnswerLocally(*spec, args, context_, state_, &reply);
    return reply;
  }

  Replies Ask(std::string_view line) {
    const std::vector<std::string> words = SplitLine(line);
    const std::vector<std::string_view> args(words.begin(), words.end());
    return {redis_.Ask(args), AskWeir(args)};
  }

  void ExpectSame(std::string_view line) {
    const Replies replies = Ask(line);
    EXPECT_EQ(replies.weir, replies.redis) << line;
  }

  void SetPassword(std::string_view password) {
    const std::string_view args[] = {"CONFIG", "SET", "requirepass", password};
    ASSERT_EQ(redis_.Ask(args), "+OK\r\n");
    pool_.redis_auth = password;
  }

  RealRedis redis_;
  PoolConfig pool_;
  RedisSessionState state_;
  LocalContext context_{
      .pool = pool_, .commands = RedisCommands(), .now = absl::FromUnixSeconds(1700000000)};
};

TEST_F(LocalRepliesTest, ConnectionCommandsAnswerWordForWord) {
  for (std::string_view version : {"2", "3"}) {
    Ask("HELLO " + std::string(version));
    for (std::string_view line : {"PING",
                                  "PING hello",
                                  "PING a b",
                                  "ECHO x",
                                  "UNWATCH",
                                  "SELECT 0",
                                  "SELECT x",
                                  "SELECT \"\"",
                                  "SELECT 01",
                                  "SELECT 99999999999",
                                  "SELECT 99999999999999999999",
                                  "CLIENT GETNAME",
                                  "CLIENT SETNAME me",
                                  "CLIENT GETNAME",
                                  "CLIENT SETNAME a_b",
                                  "CLIENT SETNAME \xc3\xa9",
                                  "CLIENT GETNAME",
                                  "CLIENT SETNAME \"\"",
                                  "CLIENT GETNAME",
                                  "CLIENT NO-EVICT on",
                                  "CLIENT NO-EVICT OFF",
                                  "CLIENT NO-EVICT foo",
                                  "CLIENT REPLY ON",
                                  "CLIENT REPLY foo",
                                  "CLIENT LIST TYPE pubsub",
                                  "CLIENT LIST TYPE foo",
                                  "CLIENT LIST TYPE",
                                  "CLIENT LIST TYPE normal x",
                                  "CLIENT LIST ID",
                                  "CLIENT LIST ID x",
                                  "CLIENT LIST ID 0",
                                  "CLIENT LIST foo",
                                  "INFO cluster",
                                  "INFO foo",
                                  "INFO Cluster cluster",
                                  "AUTH x",
                                  "AUTH default",
                                  "AUTH default x",
                                  "AUTH other x",
                                  "AUTH a b c"}) {
      ExpectSame(line);
    }
  }
}

TEST_F(LocalRepliesTest, HelloAnswersWordForWord) {
  // Not asked: the name after a HELLO whose later option is wrong. redis 7.0 sets it all the same.
  for (std::string_view line : {"HELLO",
                                "HELLO 2",
                                "HELLO 3",
                                "HELLO",
                                "HELLO 4",
                                "HELLO 1",
                                "HELLO -1",
                                "HELLO x",
                                "HELLO 03",
                                "HELLO 5 FOO",
                                "HELLO SETNAME",
                                "HELLO 3 AUTH a",
                                "HELLO 3 AUTH default x",
                                "HELLO 3 AUTH other x",
                                "HELLO 3 SETNAME",
                                "HELLO 2 SETNAME foo FOO",
                                "HELLO 2 SETNAME a_b",
                                "HELLO",
                                "HELLO 2 setname me",
                                "CLIENT GETNAME",
                                "RESET",
                                "CLIENT GETNAME",
                                "HELLO"}) {
    ExpectSame(line);
  }
}

TEST_F(LocalRepliesTest, PasswordsAreAskedForWordForWord) {
  SetPassword("secret");
  for (std::string_view line :
       {"RESET", "HELLO", "HELLO 3", "HELLO 3 SETNAME me", "HELLO 4", "AUTH wrong",
        "AUTH default wrong", "AUTH other secret", "HELLO 3 AUTH default wrong",
        "HELLO 3 AUTH default secret SETNAME a_b", "HELLO 3 SETNAME me AUTH default secret",
        "CLIENT GETNAME", "RESET", "HELLO 2", "AUTH default secret", "HELLO 2", "AUTH secret"}) {
    ExpectSame(line);
  }
}

TEST_F(LocalRepliesTest, InfoAndClientInfoHaveTheServersTypesAndFields) {
  for (std::string_view version : {"2", "3"}) {
    Ask("HELLO " + std::string(version));
    for (std::string_view line : {"INFO", "TIME", "CLIENT ID", "CLIENT INFO", "CLIENT LIST"}) {
      const Replies replies = Ask(line);
      EXPECT_EQ(replies.weir[0], replies.redis[0]) << line;
    }
    for (std::string_view line : {"CLIENT INFO", "CLIENT LIST"}) {
      const Replies replies = Ask(line);
      std::vector<std::string> expected = FieldNames(*ReadString(replies.redis));
      expected.insert(expected.end(), {"lib-name", "lib-ver"});  // of later servers
      EXPECT_EQ(FieldNames(*ReadString(replies.weir)), expected);
    }
    const std::string weir = Ask("INFO server").weir;
    const std::string version_line = "redis_version:" + std::string(kRedisVersion) + "\r\n";
    EXPECT_NE(weir.find(version_line), std::string_view::npos);
    EXPECT_NE(Ask("INFO server").redis.find(version_line), std::string::npos);
  }
}

// A command's entry holds what the server's holds, as far as the table knows.
void ExpectLikeServers(std::string_view weir, std::string_view redis) {
  const auto ours = Elements(weir);
  const auto theirs = Elements(redis);
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i][0], theirs[i][0]) << "field " << i;
  for (size_t i : {0, 1, 3, 4, 5}) EXPECT_EQ(ours[i], theirs[i]) << "field " << i;
  EXPECT_EQ(Strings(ours[2]), Strings(theirs[2]));
}

TEST_F(LocalRepliesTest, CommandInfoIsLikeTheServersForEveryCommandOffered) {
  for (std::string_view version : {"2", "3"}) {
    Ask("HELLO " + std::string(version));
    std::map<std::string, std::string_view> theirs;
    const Replies all = Ask("COMMAND");
    for (std::string_view entry : Elements(all.redis)) {
      theirs[std::string(ReadString(Elements(entry)[0]).value())] = entry;
    }
    size_t compared = 0;
    for (std::string_view entry : Elements(all.weir)) {
      const std::string name(ReadString(Elements(entry)[0]).value());
      SCOPED_TRACE(name);
      ASSERT_TRUE(theirs.contains(name));
      ExpectLikeServers(entry, theirs[name]);
      ++compared;
    }
    EXPECT_GT(compared, 180u);
    // Subcommands have entries of their own, and a command that does not exist has none.
    const Replies some = Ask("COMMAND INFO client|id foo object|encoding client|foo Get");
    const auto our_entries = Elements(some.weir);
    const auto their_entries = Elements(some.redis);
    ASSERT_EQ(our_entries.size(), their_entries.size());
    for (size_t i : {0, 2, 4}) ExpectLikeServers(our_entries[i], their_entries[i]);
    for (size_t i : {1, 3}) EXPECT_EQ(our_entries[i], their_entries[i]);
  }
}

TEST_F(LocalRepliesTest, CommandListHoldsNothingThatTheServersDoesNot) {
  for (std::string_view line :
       {"COMMAND LIST", "COMMAND LIST FILTERBY PATTERN x*", "COMMAND LIST FILTERBY PATTERN *|HELP",
        "COMMAND LIST FILTERBY PATTERN [gm]et", "COMMAND LIST FILTERBY PATTERN [^a-y]*"}) {
    const Replies replies = Ask(line);
    const std::set<std::string> theirs = Strings(replies.redis);
    const std::set<std::string> ours = Strings(replies.weir);
    EXPECT_GT(ours.size(), 0u) << line;
    for (const std::string& name : ours) {
      if (RedisCommands().FindFullName(name)->Has(CommandFlag::kLater)) continue;
      EXPECT_TRUE(theirs.contains(name)) << line << ": " << name;
    }
    for (const std::string& name : theirs) {
      const CommandSpec* spec = RedisCommands().FindFullName(name);
      ASSERT_NE(spec, nullptr) << name;
      const bool hidden = spec->command_class == CommandClass::kRefused ||
                          spec->command_class == CommandClass::kContainer ||
                          spec->Has(CommandFlag::kFlush);
      EXPECT_TRUE(hidden || ours.contains(name)) << line << ": " << name;
    }
  }
}

TEST_F(LocalRepliesTest, CommandSubcommandsAnswerWordForWord) {
  for (std::string_view version : {"2", "3"}) {
    Ask("HELLO " + std::string(version));
    for (std::string_view line : {"COMMAND DOCS foo",
                                  "COMMAND LIST FOO",
                                  "COMMAND LIST FILTERBY",
                                  "COMMAND LIST FILTERBY FOO x",
                                  "COMMAND LIST FILTERBY PATTERN a b",
                                  "COMMAND LIST FILTERBY MODULE foo",
                                  "COMMAND LIST FILTERBY PATTERN xl*",
                                  "COMMAND GETKEYS get a",
                                  "COMMAND GETKEYS get a b c",
                                  "COMMAND GETKEYS foo a",
                                  "COMMAND GETKEYS ping x",
                                  "COMMAND GETKEYS ping a b c",
                                  "COMMAND GETKEYS mset a b c d",
                                  "COMMAND GETKEYS eval s 0",
                                  "COMMAND GETKEYS eval s 5 a",
                                  "COMMAND GETKEYS fcall f 3 a",
                                  "COMMAND GETKEYS xgroup foo a",
                                  "COMMAND GETKEYS xgroup create a b c",
                                  "COMMAND GETKEYS command x",
                                  "COMMAND GETKEYS client id",
                                  "COMMAND GETKEYS spublish a b",
                                  "COMMAND GETKEYS subscribe a b c",
                                  "COMMAND GETKEYS lmpop 0 a LEFT",
                                  "COMMAND GETKEYS xread BLOCK 0 FOO a",
                                  "COMMAND GETKEYS sort a STORE b",
                                  "COMMAND GETKEYSANDFLAGS get a",
                                  "COMMAND GETKEYSANDFLAGS mget a b",
                                  "COMMAND GETKEYSANDFLAGS foo a"}) {
      ExpectSame(line);
    }
  }
}

}  // namespace
}  // namespace weir
