#include "proxy/codec/redis_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A command line split at spaces; `""` is an empty argument.
struct Line {
  explicit Line(const std::string& text) {
    std::istringstream in(text);
    for (std::string word; in >> word;) words.push_back(word == "\"\"" ? "" : word);
    args.assign(words.begin(), words.end());
    spec = RedisCommands().Find(args[0]);
    if (spec != nullptr && spec->has_subcommands() && args.size() > 1) {
      spec = RedisCommands().FindSubcommand(*spec, args[1]);
    }
  }
  std::vector<std::string> words;
  std::vector<std::string_view> args;
  const CommandSpec* spec;
};

std::string ErrorOf(const std::string& text) {
  const Line line(text);
  KeyPositions keys;
  const KeyError error = FindKeys(*line.spec, line.args, &keys);
  EXPECT_TRUE(error.ok() || keys.empty());
  return std::string(error.text);
}

std::vector<std::string> KeysOf(const std::string& text) {
  const Line line(text);
  KeyPositions keys;
  EXPECT_EQ(FindKeys(*line.spec, line.args, &keys).text, "") << text;
  std::vector<std::string> names;
  for (uint32_t position : keys) names.push_back(line.words[position]);
  return names;
}

Admission AdmissionOf(const std::string& text) {
  const Line line(text);
  return Admit(*line.spec, line.args);
}

CommandClass ClassOf(const std::string& text) { return Line(text).spec->command_class; }

TEST(RedisCommandsTest, FindsEveryCommandInLowerAndUpperCase) {
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (spec.name.find('|') != std::string_view::npos) continue;
    std::string upper(spec.name);
    std::ranges::transform(upper, upper.begin(), [](char c) { return std::toupper(c); });
    EXPECT_EQ(RedisCommands().Find(spec.name), &spec);
    EXPECT_EQ(RedisCommands().Find(upper), &spec);
  }
  EXPECT_EQ(RedisCommands().Find("nosuchcommand"), nullptr);
  EXPECT_EQ(RedisCommands().Find("xgroup|create"), nullptr);
}

TEST(RedisCommandsTest, EachCommandOfAClassHasWhatTheClassNeeds) {
  for (const CommandSpec& spec : RedisCommands().specs()) {
    const bool has_keys = spec.keys.first != 0 || spec.key_finder != nullptr;
    const bool subcommand = spec.name.find('|') != std::string_view::npos;
    switch (spec.command_class) {
      case CommandClass::kByKey:
        EXPECT_TRUE(has_keys) << spec.name;
        EXPECT_EQ(spec.merge, Merge::kNone) << spec.name;
        break;
      case CommandClass::kSplit:
        EXPECT_TRUE(has_keys && spec.key_finder == nullptr) << spec.name;
        EXPECT_NE(spec.merge, Merge::kNone) << spec.name;
        break;
      case CommandClass::kLocal:
      case CommandClass::kTransaction:
        EXPECT_NE(RedisLocalOf(spec), RedisLocal::kNone) << spec.name;
        EXPECT_FALSE(has_keys) << spec.name;
        break;
      case CommandClass::kEveryShard:
        EXPECT_NE(spec.merge, Merge::kNone) << spec.name;
        EXPECT_FALSE(has_keys) << spec.name;
        break;
      case CommandClass::kOneShard:
      case CommandClass::kRefused:
        EXPECT_FALSE(spec.reason.empty()) << spec.name;
        break;
      case CommandClass::kContainer:
        EXPECT_TRUE(spec.has_subcommands() && !subcommand) << spec.name;
        break;
    }
    if (spec.keys.first != 0) {
      EXPECT_GT(spec.keys.step, 0) << spec.name;
    }
    if (spec.command_class != CommandClass::kRefused &&
        spec.command_class != CommandClass::kOneShard) {
      EXPECT_TRUE(spec.reason.empty()) << spec.name;
    }
  }
}

TEST(RedisCommandsTest, ArityGuaranteesTheKeysOfFixedPositions) {
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (spec.command_class == CommandClass::kRefused) continue;  // SUNSUBSCRIBE needs none
    const int least = spec.arity < 0 ? -spec.arity : spec.arity;
    EXPECT_GT(least, spec.keys.first) << spec.name;
    EXPECT_GT(least, spec.keys.last) << spec.name;
  }
}

// design.md, "Upstream": nothing of this is ever written to a shared connection.
TEST(RedisCommandsTest, NothingThatChangesAConnectionBlocksStreamsOrSilencesIsForwarded) {
  for (const char* line : {"SUBSCRIBE a",
                           "PSUBSCRIBE a",
                           "SSUBSCRIBE a",
                           "UNSUBSCRIBE",
                           "PUNSUBSCRIBE",
                           "SUNSUBSCRIBE",
                           "MONITOR",
                           "SYNC",
                           "PSYNC ? -1",
                           "REPLCONF",
                           "WATCH a",
                           "WAIT 1 0",
                           "WAITAOF 1 1 0",
                           "BLPOP a 0",
                           "BRPOP a 0",
                           "BRPOPLPUSH a b 0",
                           "BLMOVE a b LEFT LEFT 0",
                           "BLMPOP 0 1 a LEFT",
                           "BZPOPMIN a 0",
                           "BZPOPMAX a 0",
                           "BZMPOP 0 1 a MIN",
                           "READONLY",
                           "READWRITE",
                           "ASKING",
                           "RESTORE-ASKING a 0 x",
                           "DEBUG SLEEP 1",
                           "SHUTDOWN",
                           "REPLICAOF NO ONE",
                           "SLAVEOF NO ONE",
                           "FAILOVER",
                           "CONFIG SET a b",
                           "CONFIG GET a",
                           "CLUSTER NODES",
                           "CLUSTER RESET",
                           "ACL SETUSER x",
                           "MODULE LOAD x",
                           "SCRIPT DEBUG YES",
                           "CLIENT TRACKING ON",
                           "CLIENT CACHING YES",
                           "CLIENT KILL x",
                           "CLIENT PAUSE 1",
                           "CLIENT UNPAUSE",
                           "CLIENT UNBLOCK 1",
                           "SAVE",
                           "XREAD BLOCK 0 STREAMS a 0",
                           "XREADGROUP GROUP g c BLOCK 0 STREAMS a >"}) {
    const Admission admission = AdmissionOf(line);
    EXPECT_EQ(admission.verdict, Admission::kRefused) << line;
    EXPECT_FALSE(admission.text.empty()) << line;
  }
  for (const char* line :
       {"SELECT 0", "AUTH x", "HELLO 3", "RESET", "QUIT", "CLIENT REPLY OFF", "CLIENT NO-EVICT ON",
        "CLIENT NO-TOUCH ON", "CLIENT SETNAME x", "CLIENT SETINFO LIB-NAME x", "CLIENT ID",
        "UNWATCH", "PING", "ECHO a", "TIME", "INFO", "COMMAND", "COMMAND COUNT"}) {
    EXPECT_EQ(ClassOf(line), CommandClass::kLocal) << line;
  }
}

TEST(RedisCommandsTest, EveryBlockingCommandIsRefusedOrChecked) {
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (!spec.Has(CommandFlag::kBlocking)) continue;
    EXPECT_TRUE(spec.command_class == CommandClass::kRefused || spec.argument_check != nullptr)
        << spec.name;
  }
}

TEST(RedisCommandsTest, ExtrasCannotRedefineWhatMustNotBeForwarded) {
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (spec.name.find('|') != std::string_view::npos) continue;
    if (spec.command_class == CommandClass::kByKey && spec.key_finder == nullptr &&
        spec.argument_check == nullptr) {
      continue;
    }
    const ExtraCommand extras[] = {{.name = std::string(spec.name)}};
    EXPECT_THAT(RedisCommands().WithExtra(extras).status().ToString(),
                HasSubstr("\"" + std::string(spec.name) + "\""));
  }
}

TEST(RedisCommandsTest, SplitsAndMergesSixCommands) {
  std::vector<std::string> split;
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (spec.command_class == CommandClass::kSplit) split.emplace_back(spec.name);
  }
  EXPECT_THAT(split, ElementsAre("del", "exists", "mget", "mset", "touch", "unlink"));
  EXPECT_EQ(Line("MGET a").spec->merge, Merge::kConcat);
  EXPECT_EQ(Line("MSET a 1").spec->merge, Merge::kAllOk);
  EXPECT_EQ(Line("DEL a").spec->merge, Merge::kSum);
}

TEST(RedisCommandsTest, FlushingNeedsPermissionAndTheSizeIsSummed) {
  EXPECT_TRUE(Line("FLUSHALL").spec->Has(CommandFlag::kFlush));
  EXPECT_TRUE(Line("FLUSHDB").spec->Has(CommandFlag::kFlush));
  EXPECT_EQ(ClassOf("FLUSHALL"), CommandClass::kEveryShard);
  EXPECT_FALSE(Line("DBSIZE").spec->Has(CommandFlag::kFlush));
  EXPECT_EQ(Line("DBSIZE").spec->merge, Merge::kSum);
}

TEST(RedisCommandsTest, KeylessCommandsNeedAPoolOfOneShard) {
  for (const char* line : {"SCAN 0", "KEYS *", "RANDOMKEY", "SCRIPT LOAD x", "FUNCTION LIST",
                           "LOLWUT", "PUBLISH a b", "SPUBLISH a b", "SWAPDB 0 1", "SLOWLOG GET",
                           "EVAL s 0", "EVALSHA s 0 a", "FCALL f 0", "EVAL_RO s 00"}) {
    const Admission admission = AdmissionOf(line);
    EXPECT_EQ(admission.verdict, Admission::kNeedsOneShard) << line;
    EXPECT_FALSE(admission.text.empty()) << line;
  }
}

TEST(RedisCommandsTest, SubcommandsAreCommandsOfTheirOwn) {
  EXPECT_EQ(Line("object ENCODING a").spec->name, "object|encoding");
  EXPECT_EQ(SingleKeyIndex(*Line("OBJECT encoding a").spec), 2u);
  EXPECT_EQ(Line("OBJECT").spec->command_class, CommandClass::kContainer);
  EXPECT_EQ(Line("OBJECT nosuch a").spec, nullptr);
  EXPECT_EQ(Line("COMMAND nosuch").spec, nullptr);
}

TEST(RedisKeysTest, AreCountedByAnArgument) {
  EXPECT_THAT(KeysOf("EVAL s 2 a b arg"), ElementsAre("a", "b"));
  EXPECT_THAT(KeysOf("EVAL s 0 arg"), IsEmpty());
  EXPECT_THAT(KeysOf("FCALL_RO f 1 a"), ElementsAre("a"));
  EXPECT_THAT(KeysOf("ZUNION 2 a b WEIGHTS 1 2"), ElementsAre("a", "b"));
  EXPECT_THAT(KeysOf("ZUNIONSTORE d 2 a b AGGREGATE MAX"), ElementsAre("d", "a", "b"));
  EXPECT_THAT(KeysOf("SINTERCARD 2 a b LIMIT 1"), ElementsAre("a", "b"));
  EXPECT_THAT(KeysOf("LMPOP 2 a b LEFT"), ElementsAre("a", "b"));
  EXPECT_THAT(KeysOf("BZMPOP 0 2 a b MIN"), ElementsAre("a", "b"));
}

TEST(RedisKeysTest, AWrongCountIsRedisErrorForTheCommand) {
  EXPECT_EQ(ErrorOf("EVAL s 2 a"), "ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(ErrorOf("EVAL s -1 a"), "ERR Number of keys can't be negative");
  EXPECT_EQ(ErrorOf("EVAL s x a"), "ERR value is not an integer or out of range");
  EXPECT_EQ(ErrorOf("EVAL s +1 a"), "ERR value is not an integer or out of range");
  EXPECT_EQ(ErrorOf("FCALL f x a"), "ERR Bad number of keys provided");
  EXPECT_EQ(ErrorOf("ZUNION 0 a"), "ERR at least 1 input key is needed for 'zunion' command");
  EXPECT_EQ(ErrorOf("ZINTERSTORE d -1 a"),
            "ERR at least 1 input key is needed for 'zinterstore' command");
  EXPECT_EQ(ErrorOf("ZUNION 2 a"), "ERR syntax error");
  EXPECT_EQ(ErrorOf("ZUNION 9223372036854775807 a"), "ERR syntax error");
  EXPECT_EQ(ErrorOf("ZUNION 99999999999999999999 a"),
            "ERR value is not an integer or out of range");
  EXPECT_EQ(ErrorOf("SINTERCARD 0 a"), "ERR numkeys should be greater than 0");
  EXPECT_EQ(ErrorOf("SINTERCARD 2 a"), "ERR Number of keys can't be greater than number of args");
  EXPECT_EQ(ErrorOf("LMPOP 2 a LEFT"), "ERR syntax error");
  EXPECT_EQ(ErrorOf("ZMPOP x a MIN"), "ERR numkeys should be greater than 0");
}

TEST(RedisKeysTest, FollowTheWordStreams) {
  EXPECT_THAT(KeysOf("XREAD COUNT 1 STREAMS a b 0 0"), ElementsAre("a", "b"));
  EXPECT_THAT(KeysOf("XREAD streams streams 0"), ElementsAre("streams"));
  EXPECT_THAT(KeysOf("XREADGROUP GROUP streams streams NOACK STREAMS a >"), ElementsAre("a"));
  EXPECT_EQ(ErrorOf("XREAD STREAMS a b 0"),
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
            "specified.");
  EXPECT_EQ(ErrorOf("XREAD COUNT 1 a 0"), "ERR syntax error");
  EXPECT_EQ(ErrorOf("XREAD NOACK STREAMS a 0"),
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
  EXPECT_EQ(ErrorOf("XREADGROUP NOACK COUNT 1 STREAMS a b > >"),
            "ERR Missing GROUP option for XREADGROUP");
}

TEST(RedisKeysTest, IncludeTheDestinationOfSortAndGeoradius) {
  EXPECT_THAT(KeysOf("SORT a LIMIT 0 1 DESC"), ElementsAre("a"));
  EXPECT_THAT(KeysOf("SORT a BY store STORE d"), ElementsAre("a", "d"));
  EXPECT_THAT(KeysOf("SORT a STORE d STORE e"), ElementsAre("a", "e"));
  EXPECT_THAT(KeysOf("SORT_RO a STORE d"), ElementsAre("a"));
  EXPECT_THAT(KeysOf("GEORADIUS a 1 1 1 m store d"), ElementsAre("a", "d"));
  EXPECT_THAT(KeysOf("GEORADIUSBYMEMBER a m 1 km COUNT 1 STOREDIST d"), ElementsAre("a", "d"));
  EXPECT_THAT(KeysOf("GEORADIUSBYMEMBER a STORE 1 km"), ElementsAre("a"));
}

TEST(RedisKeysTest, OfMigrateAreOneArgumentOrAList) {
  EXPECT_THAT(KeysOf("MIGRATE h 1 a 0 10"), ElementsAre("a"));
  EXPECT_THAT(KeysOf("MIGRATE h 1 \"\" 0 10 AUTH2 keys keys KEYS a b"), ElementsAre("a", "b"));
  EXPECT_EQ(ErrorOf("MIGRATE h 1 a 0 10 KEYS b"),
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
  EXPECT_EQ(ErrorOf("MIGRATE h 1 \"\" 0 10 KEYS"), "ERR syntax error");
}

TEST(RedisAdmissionTest, OnlyBlockAmongTheOptionsOfXreadIsRefused) {
  EXPECT_EQ(AdmissionOf("XREAD STREAMS block 0").verdict, Admission::kAllowed);
  EXPECT_EQ(AdmissionOf("XREADGROUP GROUP block block STREAMS a >").verdict, Admission::kAllowed);
  EXPECT_EQ(AdmissionOf("XREAD COUNT 1 block 5 STREAMS a 0").verdict, Admission::kRefused);
  EXPECT_EQ(AdmissionOf("XREAD SOME BLOCK 5 STREAMS a 0").verdict, Admission::kInvalid);
}

TEST(RedisAdmissionTest, SortNeedsOneShardOnlyForPatternsThatNameKeys) {
  EXPECT_EQ(AdmissionOf("SORT a BY w_*").verdict, Admission::kNeedsOneShard);
  EXPECT_EQ(AdmissionOf("SORT_RO a GET x_*->f").verdict, Admission::kNeedsOneShard);
  EXPECT_EQ(AdmissionOf("SORT a BY nosort GET #").verdict, Admission::kAllowed);
  EXPECT_EQ(AdmissionOf("SORT a* STORE b*").verdict, Admission::kAllowed);
}

TEST(RedisAdmissionTest, MsetNeedsAValueForEachKey) {
  EXPECT_EQ(AdmissionOf("MSET a 1 b 2").verdict, Admission::kAllowed);
  EXPECT_EQ(AdmissionOf("MSET a 1 b").text, "ERR wrong number of arguments for 'mset' command");
  EXPECT_EQ(AdmissionOf("MSETNX a 1 b").text, "ERR wrong number of arguments for 'msetnx' command");
}

}  // namespace
}  // namespace weir
