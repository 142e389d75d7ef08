// The table of redis commands against a real redis-server: the same commands, the same facts, the
// same keys, the same errors.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_reader.h"
#include "tests/conformance/command_lines.h"
#include "tests/conformance/real_redis.h"

namespace weir {
namespace {

using Words = std::vector<std::string>;

RealRedis& Server() {
  static RealRedis server;
  return server;
}

std::string Ask(const Words& words) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  return Server().Ask(args);
}

Words SplitLine(std::string_view line) {
  std::istringstream in{std::string(line)};
  Words words;
  for (std::string word; in >> word;) words.push_back(word == "\"\"" ? "" : word);
  return words;
}

std::string Join(const Words& words) {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  return line;
}

std::vector<std::string_view> Elements(std::string_view frame) {
  std::vector<std::string_view> elements;
  RespElements in(frame);
  while (const auto element = in.Next()) elements.push_back(*element);
  EXPECT_EQ(in.remaining(), 0);
  return elements;
}

std::set<std::string> Strings(std::string_view frame) {
  std::set<std::string> strings;
  for (std::string_view element : Elements(frame)) {
    strings.emplace(ReadString(element).value_or("?"));
  }
  return strings;
}

// What COMMAND says about one command.
struct ReportedCommand {
  int64_t arity;
  std::set<std::string> flags;
  int64_t first, last, step;
};

// Adds the commands of an array of COMMAND entries, and their subcommands.
void AddReported(std::string_view frame, std::map<std::string, ReportedCommand>* out) {
  constexpr size_t kSubcommands = 9;
  for (std::string_view entry : Elements(frame)) {
    const auto fields = Elements(entry);
    ASSERT_GT(fields.size(), kSubcommands);
    const auto number = [&fields](size_t i) { return ReadInteger(fields[i]).value(); };
    (*out)[std::string(ReadString(fields[0]).value())] = {number(1), Strings(fields[2]), number(3),
                                                          number(4), number(5)};
    AddReported(fields[kSubcommands], out);
  }
}

std::map<std::string, ReportedCommand> ReportedCommands() {
  std::map<std::string, ReportedCommand> reported;
  AddReported(Ask({"COMMAND"}), &reported);
  return reported;
}

const CommandSpec* Find(const Words& words) {
  const CommandSpec* spec = RedisCommands().Find(words[0]);
  if (spec == nullptr || !spec->has_subcommands() || words.size() == 1) return spec;
  return RedisCommands().FindSubcommand(*spec, words[1]);
}

// The keys, or the error.
std::pair<Words, std::string> KeysByTable(const Words& words) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  KeyPositions positions;
  const KeyError error = FindKeys(*Find(words), args, &positions);
  Words keys;
  for (uint32_t position : positions) keys.push_back(words[position]);
  return {keys, std::string(error.text)};
}

void ExpectSameKeys(const Words& words) {
  SCOPED_TRACE(Join(words));
  const CommandSpec* spec = Find(words);
  ASSERT_NE(spec, nullptr);
  ASSERT_TRUE(ArityMatches(*spec, words.size()));
  Words question = {"COMMAND", "GETKEYS"};
  question.insert(question.end(), words.begin(), words.end());
  const std::string answer = Ask(question);
  const auto [keys, error] = KeysByTable(words);
  EXPECT_EQ(error, "");
  // Channels stand where keys could be, and are none.
  if (spec->Has(CommandFlag::kPubSub)) return;
  Words keys_by_server;
  if (IsError(answer)) {
    EXPECT_EQ(ErrorText(answer), "ERR The command has no key arguments");
  } else {
    for (std::string_view key : Elements(answer)) keys_by_server.emplace_back(*ReadString(key));
  }
  EXPECT_EQ(keys, keys_by_server);
}

TEST(CommandTableConformanceTest, KnowsEveryCommandOfTheServerAndNoOther) {
  const auto reported = ReportedCommands();
  EXPECT_GT(reported.size(), 300u);
  for (const auto& [name, command] : reported) {
    EXPECT_NE(RedisCommands().FindFullName(name), nullptr) << name << " is missing";
  }
  for (const CommandSpec& spec : RedisCommands().specs()) {
    EXPECT_EQ(reported.contains(std::string(spec.name)), !spec.Has(CommandFlag::kLater))
        << spec.name;
  }
}

TEST(CommandTableConformanceTest, ReportsTheSameArityFlagsAndPositions) {
  std::set<std::string> flags_seen;
  for (const auto& [name, command] : ReportedCommands()) {
    SCOPED_TRACE(name);
    const CommandSpec* spec = RedisCommands().FindFullName(name);
    ASSERT_NE(spec, nullptr);
    EXPECT_EQ(spec->arity, command.arity);
    EXPECT_EQ(spec->keys.first, command.first);
    EXPECT_EQ(spec->keys.last, command.last);
    EXPECT_EQ(spec->keys.step, command.step);
    const auto flags = RedisFlagNames(*spec);
    EXPECT_EQ(std::set<std::string>(flags.begin(), flags.end()), command.flags);
    flags_seen.insert(command.flags.begin(), command.flags.end());
  }
  EXPECT_EQ(flags_seen.size(), 19u);  // that a redis 7.0 knows of its own commands
}

TEST(CommandTableConformanceTest, FindsTheKeysOfEveryCommandWithFixedPositions) {
  size_t lines = 0;
  for (const CommandSpec& spec : RedisCommands().specs()) {
    if (spec.keys.first == 0 || spec.key_finder != nullptr) continue;
    const size_t least = static_cast<size_t>(spec.arity < 0 ? -spec.arity : spec.arity);
    Words words = SplitLine(spec.name);
    if (const size_t bar = words[0].find('|'); bar != std::string::npos) {
      words = {words[0].substr(0, bar), words[0].substr(bar + 1)};
    }
    // One argument at least, then more, always whole pairs, where the arity leaves it open.
    while (words.size() < least || words.size() < 2) {
      words.push_back("key" + std::to_string(words.size()));
    }
    if (spec.name != "pfmerge") ExpectSameKeys(words);  // GETKEYS fails without sources
    ++lines;
    if (spec.arity >= 0) continue;
    for (int i = 0; i < 4; ++i) words.push_back("more" + std::to_string(i));
    ExpectSameKeys(words);
    ++lines;
  }
  EXPECT_GT(lines, 150u);
}

TEST(CommandTableConformanceTest, FindsTheKeysThatDependOnArguments) {
  std::set<const KeyFinder*> finders;
  for (std::string_view line : kLinesWithKeys) {
    ExpectSameKeys(SplitLine(line));
    finders.insert(Find(SplitLine(line))->key_finder);
  }
  for (const CommandSpec& spec : RedisCommands().specs()) {
    EXPECT_TRUE(finders.contains(spec.key_finder)) << "no line covers " << spec.name;
  }
}

TEST(CommandTableConformanceTest, WrongRequestsGetTheServersOwnError) {
  for (std::string_view line : kLinesWithErrors) {
    SCOPED_TRACE(line);
    const Words words = SplitLine(line);
    const std::vector<std::string_view> args(words.begin(), words.end());
    const Admission admission = Admit(*Find(words), args);
    const std::string error = admission.verdict == Admission::kInvalid ? std::string(admission.text)
                                                                       : KeysByTable(words).second;
    EXPECT_EQ(error, ErrorText(Ask(words)));
  }
}

}  // namespace
}  // namespace weir
