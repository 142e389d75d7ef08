#include "tests/conformance/commands_document.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/codec/redis_commands.h"

namespace weir {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(CommandsDocumentTest, DocsCommandsIsWhatTheTableSays) {
  std::ifstream file("docs/commands.md");
  std::ostringstream kept;
  kept << file.rdbuf();
  EXPECT_EQ(Lines(kept.str()), Lines(RedisCommandsDocument(RedisCommands())))
      << "bazel run //tests/conformance:print_commands_document > docs/commands.md";
}

TEST(CommandsDocumentTest, EveryCommandAndSubcommandHasARow) {
  const std::string document = RedisCommandsDocument(RedisCommands());
  EXPECT_NE(document.find("\n| GET | by key | 1 |  |\n"), std::string::npos);
  EXPECT_NE(document.find("\n| XGROUP CREATE | by key | 2 |  |\n"), std::string::npos);
  EXPECT_NE(
      document.find("\n| MGET | split | all from 1 | the values in the order of the keys |\n"),
      std::string::npos);
  EXPECT_NE(document.find("\n| SUBSCRIBE | refused |"), std::string::npos);
}

}  // namespace
}  // namespace weir
