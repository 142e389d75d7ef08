#include "controlplane/ctl/options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

absl::StatusOr<CtlOptions> Parse(std::vector<const char*> words, FlagGroups groups = kAllFlags) {
  words.insert(words.begin(), "weirctl");
  return ParseCtlOptions(words, groups);
}

std::string ErrorOf(std::vector<const char*> words, FlagGroups groups = kAllFlags) {
  const absl::StatusOr<CtlOptions> options = Parse(std::move(words), groups);
  return options.ok() ? "no error" : std::string(FromAbsl(options.status().message()));
}

TEST(CtlOptionsTest, ReadsFlagsBetweenWords) {
  const absl::StatusOr<CtlOptions> options =
      Parse({"--server=h:1", "add-shard", "-y", "alpha", "--weight", "2", "c", "-ojson", "h:2",
             "--wait=none", "--wait-timeout=3", "--max-moved=0.25", "--etag=e", "--force",
             "--request-id=r"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->words, ElementsAre("add-shard", "alpha", "c", "h:2"));
  EXPECT_THAT(options->connection, ElementsAre(Pair(0u, "h:1")));
  EXPECT_EQ(options->weight, 2u);
  EXPECT_EQ(options->output, OutputFormat::kJson);
  EXPECT_TRUE(options->yes && options->force && !options->wait);
  EXPECT_EQ(options->wait_timeout, absl::Seconds(3));
  EXPECT_EQ(options->max_moved_fraction, 0.25);
  EXPECT_EQ(options->etag, "e");
  EXPECT_EQ(options->request_id, "r");
}

TEST(CtlOptionsTest, TakesWordsBehindTwoDashesAsTheyAre) {
  EXPECT_THAT(Parse({"explain", "alpha", "--", "--key"})->words,
              ElementsAre("explain", "alpha", "--key"));
}

TEST(CtlOptionsTest, ReadsProposedShards) {
  const absl::StatusOr<CtlOptions> options =
      Parse({"--with=c=2", "--with=d", "--without=a", "--without=b"});
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_EQ(options->with.size(), 2u);
  EXPECT_EQ(options->with[0].name(), "c");
  EXPECT_EQ(options->with[0].weight(), 2u);
  EXPECT_EQ(options->with[1].weight(), 1u);
  EXPECT_THAT(options->without, ElementsAre("a", "b"));
}

TEST(CtlOptionsTest, SaysWhatWasExpected) {
  EXPECT_THAT(ErrorOf({"-oxml"}), HasSubstr("found 'xml', expected table, json or yaml"));
  EXPECT_THAT(ErrorOf({"--weight=0"}), HasSubstr("expected a weight from 1"));
  EXPECT_THAT(ErrorOf({"--max-moved=2"}), HasSubstr("expected a fraction"));
  EXPECT_THAT(ErrorOf({"--max-moved=nan"}), HasSubstr("expected a fraction"));
  EXPECT_THAT(ErrorOf({"--wait=some"}), HasSubstr("expected all or none"));
  EXPECT_THAT(ErrorOf({"--with==2"}), HasSubstr("expected SHARD or SHARD=WEIGHT"));
  EXPECT_THAT(ErrorOf({"--server=x"}), HasSubstr("expected host:port"));
  EXPECT_THAT(ErrorOf({"--undo"}, kWeightFlag), HasSubstr("unknown option '--undo'"));
}

}  // namespace
}  // namespace weir
