// docs/configuration.md has exactly the rows of the tables in the code, and the defaults in those
// tables are the defaults that the code uses.

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_keys.h"
#include "proxy/config/config_loader.h"
#include "proxy/server/options.h"

namespace weir {
namespace {

using ::testing::ElementsAreArray;

// The rows of all tables below the heading `title`, up to the next one; without the tables' heads.
std::vector<std::string> RowsBelow(std::string_view title) {
  std::ifstream file("docs/configuration.md");
  EXPECT_TRUE(file.is_open());
  std::vector<std::string> rows;
  bool is_inside = false;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("#")) is_inside = line == title;
    if (is_inside && line.starts_with("| `")) rows.push_back(line);
  }
  return rows;
}

std::string Row(const KeySpec& key) {
  return StrCat("| `", key.name, "` | ", key.type, " | ", key.default_text, " | ", key.unit, " | ",
                key.meaning, " | ", key.difference, " |");
}

std::string OrDash(std::string_view text) { return std::string(text.empty() ? "–" : text); }

std::string Row(const FlagSpec& flag) {
  std::string names;
  if (flag.short_name != 0) names = StrCat("`-", std::string(1, flag.short_name), "`, ");
  return StrCat("| ", names, "`--", flag.long_name, "` | ", OrDash(flag.argument), " | ",
                OrDash(flag.default_text), " | ", flag.meaning, " |");
}

TEST(ConfigurationDocTest, HasARowForEveryKeyOfAPool) {
  std::vector<std::string> expected;
  for (const KeySpec& key : kPoolKeys) expected.push_back(Row(key));
  std::vector<std::string> rows = RowsBelow("### twemproxy's");
  for (const std::string& row : RowsBelow("### Weir's own")) rows.push_back(row);
  EXPECT_THAT(rows, ElementsAreArray(expected));
}

TEST(ConfigurationDocTest, HasARowForEveryKeyOfACommand) {
  std::vector<std::string> expected;
  for (const KeySpec& key : kCommandKeys) expected.push_back(Row(key));
  EXPECT_THAT(RowsBelow("### Items of `commands:`"), ElementsAreArray(expected));
}

TEST(ConfigurationDocTest, HasARowForEveryFlag) {
  std::vector<std::string> expected;
  for (const FlagSpec& flag : Flags()) expected.push_back(Row(flag));
  EXPECT_THAT(RowsBelow("## Flags"), ElementsAreArray(expected));
}

// A default that can be written down as it stands, not a rule, a requirement or an absence.
bool IsValue(std::string_view text) {
  return !text.empty() && text != "–" && text != "required" && text != "none" &&
         text.find(' ') == text.npos;
}

PoolConfig LoadPool(std::string_view line) {
  const absl::StatusOr<Config> config = LoadConfig(
      StrCat("alpha:\n  listen: h:1\n  redis: true\n  servers: [\"h:2:1\"]\n", line), "f.yml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->pools[0] : PoolConfig();
}

TEST(ConfigurationDocTest, SayingADefaultOfAKeyChangesNothing) {
  int checked = 0;
  for (const KeySpec& key : kPoolKeys) {
    // Without `redis: true` a pool is refused.
    if (!IsValue(key.default_text) || key.name == "redis") continue;
    ++checked;
    EXPECT_EQ(LoadPool(StrCat("  ", key.name, ": ", key.default_text, "\n")), LoadPool(""))
        << key.name;
  }
  EXPECT_EQ(checked, 23);
}

TEST(ConfigurationDocTest, SayingADefaultOfAFlagChangesNothing) {
  const char* program[] = {"weir-proxy"};
  int checked = 0;
  for (const FlagSpec& flag : Flags()) {
    if (!IsValue(flag.default_text) || flag.default_text == "stderr") continue;
    ++checked;
    const std::string word = StrCat("--", flag.long_name, "=", flag.default_text);
    const char* words[] = {"weir-proxy", word.c_str()};
    EXPECT_EQ(*ParseOptions(words), *ParseOptions(program)) << word;
  }
  EXPECT_EQ(checked, 9);
}

}  // namespace
}  // namespace weir
