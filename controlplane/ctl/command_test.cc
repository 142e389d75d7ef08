#include "controlplane/ctl/command.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ErrorOf(const std::vector<std::string>& words) {
  const absl::StatusOr<ChosenCommand> chosen = ChooseCommand(words);
  return chosen.ok() ? "no error" : std::string(FromAbsl(chosen.status().message()));
}

TEST(CommandTest, FindsCommandsOfOneWordAndOfTwo) {
  const std::vector<std::string> get = {"get", "shards", "alpha"};
  EXPECT_EQ(ChooseCommand(get)->command->name, "get shards");
  EXPECT_THAT(ChooseCommand(get)->words, ElementsAre("alpha"));
  const std::vector<std::string> plan = {"plan", "drain", "alpha", "a"};
  EXPECT_EQ(ChooseCommand(plan)->command->name, "drain");
  EXPECT_TRUE(ChooseCommand(plan)->plan_only);
}

TEST(CommandTest, SaysWhatWasExpected) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("expected a command"));
  EXPECT_THAT(ErrorOf({"drian", "a"}), HasSubstr("did you mean 'drain'?"));
  EXPECT_THAT(ErrorOf({"get"}), HasSubstr("pools, shards, proxies or versions"));
  EXPECT_THAT(ErrorOf({"drain", "alpha"}), HasSubstr("expected: weirctl drain POOL SHARD"));
  EXPECT_THAT(ErrorOf({"get", "proxies", "x"}), HasSubstr("expected: weirctl get proxies;"));
  EXPECT_THAT(ErrorOf({"plan", "watch"}), HasSubstr("changes nothing"));
}

TEST(CommandTest, EveryExampleIsACommandThatWeirctlTakes) {
  for (const Command& command : Commands()) {
    EXPECT_FALSE(command.examples.empty()) << command.name;
    for (const absl::string_view line :
         absl::StrSplit(ToAbsl(command.examples), '\n', absl::SkipEmpty())) {
      std::vector<std::string> words = absl::StrSplit(line, ' ');
      const auto end = std::ranges::find_if(
          words, [](const std::string& word) { return word == "|" || word == ">"; });
      words.erase(end, words.end());
      std::vector<const char*> argv;
      for (const std::string& word : words) argv.push_back(word.c_str());
      const absl::StatusOr<CtlOptions> all = ParseCtlOptions(argv, kAllFlags);
      ASSERT_TRUE(all.ok()) << line << ": " << all.status();
      const absl::StatusOr<ChosenCommand> chosen = ChooseCommand(all->words);
      ASSERT_TRUE(chosen.ok()) << line << ": " << chosen.status();
      EXPECT_TRUE(ParseCtlOptions(argv, chosen->command->flags).ok()) << line;
    }
  }
}

TEST(CommandTest, TheDocumentListsEveryCommandAndFlag) {
  std::ifstream stream("docs/weirctl.md");
  ASSERT_TRUE(stream);
  const std::string document{std::istreambuf_iterator<char>(stream), {}};
  for (const Command& command : Commands()) {
    const std::string row = StrCat("| `", command.name, command.arguments.empty() ? "" : " ",
                                   command.arguments, "` | ", command.summary, " |\n");
    EXPECT_THAT(document, HasSubstr(row));
  }
  for (const FlagSpec& flag : CtlFlags(kAllFlags)) {
    const std::string short_name =
        flag.short_name == 0 ? "" : StrCat("`-", std::string(1, flag.short_name), "`, ");
    const std::string row =
        StrCat("| ", short_name, "`--", flag.long_name, "` | ",
               flag.argument.empty() ? std::string_view("–") : flag.argument, " | ",
               flag.default_text.empty() ? std::string_view("–") : flag.default_text, " | ",
               flag.meaning, " |\n");
    EXPECT_THAT(document, HasSubstr(row));
  }
}

TEST(CommandTest, HelpShowsExamplesAndOnlyTheFlagsOfTheCommand) {
  EXPECT_THAT(HelpText(), HasSubstr("  drain POOL SHARD"));
  const std::vector<std::string> words = {"drain"};
  const std::string help = HelpText(*FindCommand(words)->command);
  EXPECT_THAT(help, HasSubstr("  weirctl drain alpha a --undo\n"));
  EXPECT_THAT(help, HasSubstr("--undo"));
  EXPECT_THAT(help, Not(HasSubstr("--weight")));
}

TEST(CommandTest, HelpOfAGroupListsItsCommands) {
  const auto help_of = [](const std::string& word) {
    const std::vector<std::string> words = {word};
    return HelpOfGroup(words).value_or("none");
  };
  EXPECT_THAT(help_of("get"),
              AllOf(HasSubstr("Usage: weirctl get COMMAND"), HasSubstr("  get pools [POOL]...  "),
                    HasSubstr("  get versions POOL  "), Not(HasSubstr("drain"))));
  EXPECT_THAT(help_of("describe"), HasSubstr("  describe pool POOL  "));
  EXPECT_THAT(help_of("plan"), AllOf(HasSubstr("  drain POOL SHARD  "), Not(HasSubstr("watch"))));
  EXPECT_EQ(help_of("drain"), "none");
  EXPECT_EQ(help_of("ge"), "none");
}

}  // namespace
}  // namespace weir
