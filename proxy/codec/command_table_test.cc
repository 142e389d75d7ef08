#include "proxy/codec/command_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

KeyError NoKeysFound(const CommandSpec&, CommandArgs, KeyPositions* out) {
  out->Add(1);
  return {"ERR no keys"};
}
constexpr KeyFinder kFailingFinder = {"never", &NoKeysFound};

// A small protocol of its own: the table knows none.
constexpr CommandSpec kSpecs[] = {
    {.name = "a-command-of-24-letters1", .arity = 1},
    {.name = "a-command-of-24-letters2", .arity = 1},
    {.name = "a-command-xy-24-letters2", .arity = 1},
    {.name = "box", .arity = -2, .command_class = CommandClass::kContainer},
    {.name = "box-cutter", .arity = 1},
    {.name = "box|open", .arity = 3, .keys = {2, 2, 1}},
    {.name = "box|shut", .arity = 2},
    {.name = "failing", .arity = -1, .key_finder = &kFailingFinder},
    {.name = "find_me", .arity = -2, .keys = {1, 1, 1}},
    {.name = "get", .arity = 2, .keys = {1, 1, 1}},
    {.name = "log", .arity = 1, .command_class = CommandClass::kOneShard, .reason = "one log"},
    {.name = "merge", .arity = -3, .keys = {2, -2, 1}},
    {.name = "pairs", .arity = -3, .keys = {1, -1, 2}},
    {.name = "quit", .arity = 1, .command_class = CommandClass::kLocal},
    {.name = "wait", .arity = 1, .command_class = CommandClass::kRefused, .reason = "waits"},
    {.name = "x", .arity = 1},
};

std::string NameOf(const CommandSpec* spec) { return std::string(spec ? spec->name : "null"); }

std::vector<uint32_t> Keys(const CommandTable& table, std::vector<std::string_view> args) {
  KeyPositions keys;
  keys.Add(99);  // left over from the request before
  EXPECT_TRUE(FindKeys(*table.Find(args[0]), args, &keys).ok());
  return {keys.begin(), keys.end()};
}

TEST(CommandTableTest, FindsEveryNameInLowerUpperAndMixedCase) {
  const CommandTable table(kSpecs);
  for (const CommandSpec& spec : table.specs()) {
    if (spec.name.find('|') != std::string_view::npos) continue;
    std::string name(spec.name);
    EXPECT_EQ(table.Find(name), &spec);
    name[0] = static_cast<char>(std::toupper(name[0]));
    EXPECT_EQ(table.Find(name), &spec) << name;
    std::ranges::transform(name, name.begin(), [](char c) { return std::toupper(c); });
    EXPECT_EQ(table.Find(name), &spec) << name;
  }
}

TEST(CommandTableTest, FindsNothingForNamesThatOnlyLookAlike) {
  const CommandTable table(kSpecs);
  using namespace std::string_view_literals;
  for (std::string_view name :
       {""sv, "ge"sv, "gett"sv, "get\0"sv, "\0get"sv, "g\x45\x74\x20"sv, "\x07\x05\x14"sv,
        "\xe7\xe5\xf4"sv, "find\x7fme"sv, "find?me"sv, "box\rcutter"sv, "box|open"sv, "x\0"sv,
        "a-command-of-24-letters3"sv, "a-command-ab-24-letters2"sv}) {
    EXPECT_EQ(table.Find(name), nullptr) << testing::PrintToString(name);
  }
  EXPECT_EQ(table.Find(std::string(CommandTable::kMaxNameSize + 1, 'a')), nullptr);
  EXPECT_EQ(table.Find(std::string(CommandTable::kMaxNameSize, 'a')), nullptr);
}

TEST(CommandTableTest, NoByteValueIsTakenForAnother) {
  const CommandTable table(kSpecs);
  for (std::string_view known : {"get", "find_me", "box-cutter", "a-command-of-24-letters1"}) {
    for (size_t i = 0; i < known.size(); ++i) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string name(known);
        name[i] = static_cast<char>(byte);
        const bool same = byte == known[i] || (byte >= 'A' && byte <= 'Z' && byte + 32 == known[i]);
        const bool sibling = name == "a-command-of-24-letters2";
        EXPECT_EQ(table.Find(name) != nullptr, same || sibling) << byte << " in " << known;
      }
    }
  }
}

TEST(CommandTableTest, FindsLongNamesThatDifferOnlyInTheMiddle) {
  const CommandTable table(kSpecs);
  EXPECT_EQ(NameOf(table.Find("A-COMMAND-OF-24-LETTERS2")), "a-command-of-24-letters2");
  EXPECT_EQ(NameOf(table.Find("A-COMMAND-XY-24-LETTERS2")), "a-command-xy-24-letters2");
}

TEST(CommandTableTest, FindsSubcommandsBelowTheirContainerOnly) {
  const CommandTable table(kSpecs);
  const CommandSpec& box = *table.Find("BOX");
  EXPECT_TRUE(box.has_subcommands());
  EXPECT_EQ(NameOf(table.FindSubcommand(box, "Open")), "box|open");
  EXPECT_EQ(NameOf(table.FindSubcommand(box, "shut")), "box|shut");
  EXPECT_EQ(table.FindSubcommand(box, "ope"), nullptr);
  EXPECT_EQ(table.FindSubcommand(box, ""), nullptr);
  EXPECT_EQ(table.FindSubcommand(*table.Find("get"), "open"), nullptr);
  EXPECT_EQ(NameOf(table.FindFullName("box|open")), "box|open");
  EXPECT_EQ(table.FindFullName("box|close"), nullptr);
}

TEST(CommandTableTest, ArityIsExactOrAtLeast) {
  EXPECT_TRUE(ArityMatches({.arity = 2}, 2));
  EXPECT_FALSE(ArityMatches({.arity = 2}, 1));
  EXPECT_FALSE(ArityMatches({.arity = 2}, 3));
  EXPECT_TRUE(ArityMatches({.arity = -2}, 2));
  EXPECT_TRUE(ArityMatches({.arity = -2}, 9));
  EXPECT_FALSE(ArityMatches({.arity = -2}, 1));
}

TEST(CommandTableTest, FindsKeysByFirstLastAndStep) {
  const CommandTable table(kSpecs);
  EXPECT_THAT(Keys(table, {"get", "a"}), ElementsAre(1));
  EXPECT_THAT(Keys(table, {"find_me", "a", "b"}), ElementsAre(1));
  EXPECT_THAT(Keys(table, {"merge", "by", "a", "b", "end"}), ElementsAre(2, 3));
  EXPECT_THAT(Keys(table, {"merge", "by", "end"}), IsEmpty());
  EXPECT_THAT(Keys(table, {"pairs", "a", "1", "b", "2"}), ElementsAre(1, 3));
  EXPECT_THAT(Keys(table, {"quit"}), IsEmpty());
}

TEST(CommandTableTest, AFinderThatFailsLeavesNoKeys) {
  const CommandTable table(kSpecs);
  KeyPositions keys;
  const std::string_view args[] = {"failing"};
  EXPECT_EQ(FindKeys(*table.Find("failing"), args, &keys).text, "ERR no keys");
  EXPECT_TRUE(keys.empty());
}

TEST(CommandTableTest, KnowsTheSingleKeyWithoutAVector) {
  const CommandTable table(kSpecs);
  EXPECT_EQ(SingleKeyIndex(*table.Find("get")), 1u);
  EXPECT_EQ(SingleKeyIndex(*table.FindFullName("box|open")), 2u);
  EXPECT_EQ(SingleKeyIndex(*table.Find("merge")), 0u);
  EXPECT_EQ(SingleKeyIndex(*table.Find("quit")), 0u);
  EXPECT_EQ(SingleKeyIndex(*table.Find("failing")), 0u);
}

TEST(CommandTableTest, AdmitsByClass) {
  const CommandTable table(kSpecs);
  const auto admit = [&table](std::string_view name) {
    const Admission admission = Admit(*table.Find(name), {});
    return std::pair(admission.verdict, admission.text);
  };
  EXPECT_EQ(admit("get"), std::pair(Admission::kAllowed, std::string_view()));
  EXPECT_EQ(admit("log"), std::pair(Admission::kNeedsOneShard, std::string_view("one log")));
  EXPECT_EQ(admit("wait"), std::pair(Admission::kRefused, std::string_view("waits")));
}

TEST(CommandTableTest, PositionsGiveBackTheMemoryOfAnUncommonlyLongRequest) {
  KeyPositions keys;
  for (uint32_t i = 0; i < 1'000'000; ++i) keys.Add(i);
  const uint32_t* const large = keys.begin();
  keys.Clear();
  EXPECT_EQ(keys.begin(), nullptr);
  keys.Add(7);
  const uint32_t* const small = keys.begin();
  keys.Clear();
  EXPECT_EQ(keys.begin(), small) << "a short request's memory is kept";
  EXPECT_NE(large, small);
}

TEST(ExtraCommandsTest, AreForwardedByTheirKeysInAnyCase) {
  const CommandTable base(kSpecs);
  const ExtraCommand extras[] = {{.name = "TS.MAdd", .last_key = -1, .step = 3}, {.name = "b.add"}};
  absl::StatusOr<CommandTable> made = base.WithExtra(extras);
  ASSERT_TRUE(made.ok()) << made.status();
  const CommandTable table = *std::move(made);
  EXPECT_EQ(NameOf(table.Find("ts.MADD")), "ts.madd");
  EXPECT_THAT(Keys(table, {"ts.madd", "a", "1", "2", "b", "3", "4"}), ElementsAre(1, 4));
  EXPECT_THAT(Keys(table, {"B.ADD", "a"}), ElementsAre(1));
  EXPECT_EQ(NameOf(table.Find("get")), "get");
  EXPECT_EQ(NameOf(table.FindSubcommand(*table.Find("box"), "shut")), "box|shut");
  EXPECT_EQ(base.Find("b.add"), nullptr);
}

TEST(ExtraCommandsTest, WithoutKeysNeedAPoolOfOneShard) {
  const ExtraCommand extras[] = {{.name = "ft._list", .first_key = 0}};
  const auto table = CommandTable(kSpecs).WithExtra(extras);
  ASSERT_TRUE(table.ok()) << table.status();
  const CommandSpec* spec = table->Find("FT._LIST");
  EXPECT_EQ(spec->command_class, CommandClass::kOneShard);
  EXPECT_FALSE(spec->reason.empty());
}

TEST(ExtraCommandsTest, RequireEnoughArgumentsForTheirKeys) {
  const ExtraCommand extras[] = {{.name = "copy3", .first_key = 2, .last_key = 4}};
  const auto table = CommandTable(kSpecs).WithExtra(extras);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_FALSE(ArityMatches(*table->Find("copy3"), 4));
  EXPECT_TRUE(ArityMatches(*table->Find("copy3"), 5));
}

TEST(ExtraCommandsTest, MayRestateACommandOfFixedPositionsAsItIs) {
  const ExtraCommand extras[] = {{.name = "FIND_ME"}};
  const auto table = CommandTable(kSpecs).WithExtra(extras);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(Keys(*table, {"find_me", "a", "b"}), ElementsAre(1));
  EXPECT_FALSE(table->Find("find_me")->Has(CommandFlag::kExtra));
}

TEST(ExtraCommandsTest, CannotGiveABuiltInCommandOtherKeysForThatAnswersWrongly) {
  const ExtraCommand extras[] = {{.name = "FIND_ME", .last_key = -1}};
  EXPECT_THAT(CommandTable(kSpecs).WithExtra(extras).status().ToString(),
              HasSubstr("is built in and has first_key 1, last_key 1, step 1"));
}

TEST(ExtraCommandsTest, CannotRedefineWhatTheProxyRefusesAnswersOrReads) {
  const CommandTable base(kSpecs);
  for (const char* name : {"WAIT", "quit", "log", "box", "failing"}) {
    const ExtraCommand extras[] = {{.name = name}};
    const auto table = base.WithExtra(extras);
    ASSERT_FALSE(table.ok()) << name;
    EXPECT_THAT(table.status().ToString(), HasSubstr(name));
    EXPECT_THAT(table.status().ToString(), HasSubstr("cannot be redefined"));
  }
}

TEST(ExtraCommandsTest, AreRefusedWhenTheyMakeNoSense) {
  const CommandTable base(kSpecs);
  const std::pair<ExtraCommand, const char*> wrong[] = {
      {{.name = ""}, "empty"},
      {{.name = std::string(65, 'a')}, "longer"},
      {{.name = "two words"}, "printable"},
      {{.name = "box|paint"}, "printable"},
      {{.name = "caf\xc3\xa9"}, "printable"},
      {{.name = "a", .first_key = -1}, "first_key"},
      {{.name = "a", .first_key = 3, .last_key = 2}, "last_key"},
      {{.name = "a", .step = 0}, "step"},
      {{.name = "a", .first_key = 100000}, "beyond"},
  };
  for (const auto& [extra, message] : wrong) {
    const auto table = base.WithExtra({&extra, 1});
    ASSERT_FALSE(table.ok()) << message;
    EXPECT_THAT(table.status().ToString(), HasSubstr(message));
  }
  const ExtraCommand twice[] = {{.name = "a"}, {.name = "A"}};
  EXPECT_THAT(base.WithExtra(twice).status().ToString(), HasSubstr("twice"));
}

TEST(CommandTableDeathTest, UnsortedSpecsAreOurOwnFault) {
  const CommandSpec specs[] = {{.name = "b", .arity = 1}, {.name = "a", .arity = 1}};
  EXPECT_DEATH(CommandTable table(specs), "is_sorted");
}

}  // namespace
}  // namespace weir
